// The leases of a node over its life: a reboot, many at once, very many, and
// pods that end without a DEL.

#include "base/file.hpp"
#include "expect.hpp"
#include "ipam/lease_store.hpp"
#include "support/node_state.hpp"

#include <sys/mount.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBootId = "/proc/sys/kernel/random/boot_id";

/// While it exists, the kernel seems to have rebooted.
class Reboot {
 public:
  explicit Reboot(const Node& node) {
    const std::string file = node.folder() / "boot_id";
    must(write_file_atomically(file, "11111111-2222-3333-4444-555555555555\n"));
    if (::mount(file.c_str(), kBootId, nullptr, MS_BIND, nullptr) != 0)
      throw std::runtime_error("cannot put another boot id in place");
  }
  Reboot(const Reboot&) = delete;
  Reboot& operator=(const Reboot&) = delete;
  ~Reboot() { ::umount2(kBootId, MNT_DETACH); }
};

std::vector<std::string> leased(const Node& node) {
  return must(list_directory(node.state_dir() / "ipam/pods/by-address"));
}

TEST(RebootedNode, FreesWhatDiedWithItWhenThePoolIsFull) {
  const Node node("node", "10.200.0.0/29", "ebpf");  // five addresses for pods
  std::vector<Pod> old;
  for (int i = 0; i < 5; ++i) old.push_back(node.add_pod("old" + std::to_string(i)));
  const Pod next("next");
  ASSERT_TRUE(failed(node.cni("ADD", next), 11, "5 of 5"));
  const Reboot reboot(node);

  EXPECT_TRUE(ok(node.cni("ADD", next)));

  EXPECT_THAT(leased(node), testing::SizeIs(1));
}

TEST(RebootedNode, GivesAContainerThatKeptItsIdAnAddressAgain) {
  const Node node("node", "10.200.0.0/24", "ebpf");
  Pod pod = node.add_pod("pod");
  node.must_run({"ip", "link", "del", node.attachment(pod).port.host_ifname});
  const Reboot reboot(node);

  const auto answer = node.cni("ADD", pod);

  EXPECT_TRUE(ok(answer));
  EXPECT_THAT(answer.err, HasSubstr("from before this boot"));
  EXPECT_THAT(leased(node), testing::SizeIs(1));
}

TEST(RebootedNode, KeepsTheLeasesOfThisBoot) {
  const Node node("node", "10.200.0.0/29", "ebpf");
  std::vector<Pod> old;
  for (int i = 0; i < 4; ++i) old.push_back(node.add_pod("old" + std::to_string(i)));
  const Reboot reboot(node);
  const Pod young = node.add_pod("young");  // the fifth and last

  const Pod next = node.add_pod("next");

  EXPECT_THAT(leased(node), testing::UnorderedElementsAre(young.address.str(), next.address.str()));
}

TEST(Leases, DaemonFreesOnlyThoseOfPodsWithoutDel) {
  const Node node("node", "10.200.0.0/24", "ebpf");
  const Pod alive = node.add_pod("alive");
  Pod gone = node.add_pod("gone");
  Pod later = node.add_pod("later");
  gone.netns.remove();
  // The kernel takes the veth along when it gets to it, and the daemon would
  // look again only after 30 s.
  ASSERT_TRUE(eventually([&] {
    const auto links = node.must_run({"ip", "-br", "link", "show", "type", "veth"});
    return std::ranges::count(links, '\n') == 2;
  }));
  must(write_file_atomically(node.folder() / "nodes.json", R"({"kind": "NodeList", "items": []})"));

  Process daemon =
      node.start_daemon({"--node-source", "file:" + (node.folder() / "nodes.json").string()});

  EXPECT_TRUE(eventually([&] { return leased(node).size() == 2; }, std::chrono::seconds(60)))
      << daemon.err();
  later.netns.remove();
  EXPECT_TRUE(eventually([&] { return leased(node).size() == 1; }, std::chrono::seconds(60)))
      << daemon.err();
  EXPECT_THAT(leased(node), testing::ElementsAre(alive.address.str()));
}

/// Who holds which address, while processes come and go.
class Held {
 public:
  void add(const std::string& address) {
    const std::lock_guard lock(mutex_);
    if (!addresses_.insert(address).second) twice_.push_back(address);
  }
  void remove(const std::string& address) {
    const std::lock_guard lock(mutex_);
    addresses_.erase(address);
  }
  [[nodiscard]] const std::set<std::string>& addresses() const { return addresses_; }
  [[nodiscard]] const std::vector<std::string>& twice() const { return twice_; }

 private:
  std::mutex mutex_;
  std::set<std::string> addresses_;
  std::vector<std::string> twice_;
};

TEST(Leases, TwoHundredConcurrentAddsAndDelsGetUniqueOnesAndLoseNone) {
  constexpr std::size_t kThreads = 50;
  constexpr std::size_t kPodsEach = 4;
  const Node node("node", "10.200.0.0/24", "bridge");
  std::vector<Pod> pods;
  for (std::size_t i = 0; i < kThreads * kPodsEach; ++i) pods.emplace_back("p" + std::to_string(i));
  Held held;
  std::vector<std::string> errors(kThreads);
  // Each thread adds four pods and deletes every second of them at once.
  const auto work = [&](std::size_t thread) {
    for (std::size_t i = 0; i < kPodsEach; ++i) {
      const Pod& pod = pods[thread * kPodsEach + i];
      const auto added = node.cni("ADD", pod);
      if (added.status != 0) {
        errors[thread] += added.msg() + "\n";
        continue;
      }
      const std::string address = added.json["ips"][0]["address"];
      held.add(address);
      if (i % 2 == 0) continue;
      held.remove(address);
      if (const auto deleted = node.cni("DEL", pod); deleted.status != 0)
        errors[thread] += deleted.msg() + "\n";
    }
  };

  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (auto& thread : threads) thread.join();

  EXPECT_THAT(errors, testing::Each(""));
  EXPECT_THAT(held.twice(), testing::IsEmpty());
  EXPECT_EQ(held.addresses().size(), kThreads * kPodsEach / 2);
  std::set<std::string> records;
  for (const auto& address : leased(node)) records.insert(address + "/24");
  EXPECT_EQ(records, held.addresses());
  for (std::size_t i = 0; i < pods.size(); i += 2) EXPECT_TRUE(ok(node.cni("DEL", pods[i])));
  EXPECT_THAT(leased(node), testing::IsEmpty());
  EXPECT_THAT(must(list_directory(node.state_dir() / "ipam/pods/by-owner")), testing::IsEmpty());
}

class VeryMany : public testing::Test {
 protected:
  /// How many system calls the plugin makes.
  unsigned long calls_of(const std::string& verb, const Pod& pod) {
    CniCall call = node.call_for(verb, pod, conf);
    call.wrapper = {KUBECNI_COUNT_CALLS};
    call.env.push_back("ASAN_OPTIONS=detect_leaks=0");  // which ptrace(2) forbids
    const auto answer = node.call(call);
    EXPECT_TRUE(ok(answer));
    const auto line = answer.err.find_last_of('\n', answer.err.size() - 2);
    return std::stoul(answer.err.substr(line + 1));
  }
  /// System calls of ADD and of DEL, after a first pod has made what pods share.
  std::pair<unsigned long, unsigned long> cost() {
    const Pod first("first");
    const Pod pod("pod");
    calls_of("ADD", first);
    calls_of("DEL", first);
    const auto add = calls_of("ADD", pod);
    return {add, calls_of("DEL", pod)};
  }
  void lease(int first, int last) {
    const auto pools = must(pool_sets_of({{Range{.subnet = *IpNet::parse("10.200.0.0/16")}}}));
    LeaseStore store(node.state_dir(), "pods");
    for (int i = first; i < last; ++i)
      must(store.allocate(pools, {"other" + std::to_string(i), "eth0"}, {}));
  }

  Node node{"node", "10.200.0.0/16", "bridge"};
  json conf = json::object();
};

TEST_F(VeryMany, SixtyThousandLeasesCostAddAndDelNoMoreThanTen) {
  constexpr unsigned long kNoise = 8;  // what the allocator of memory asks for
  lease(0, 10);
  const auto [few_add, few_del] = cost();
  lease(10, 60000);

  const auto [many_add, many_del] = cost();

  EXPECT_THAT(leased(node), testing::SizeIs(60000));
  EXPECT_LE(many_add, few_add + kNoise);
  EXPECT_LE(many_del, few_del + kNoise);
}

}  // namespace
}  // namespace kubecni::test
