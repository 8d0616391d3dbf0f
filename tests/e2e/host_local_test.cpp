// A node changes over from the reference's `host-local` while pods live. The
// leases are made by the real one.

#include "base/file.hpp"
#include "expect.hpp"

#include <filesystem>
#include <set>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kHostLocal = "/usr/lib/cni/host-local";

class ChangeOver : public testing::Test {
 protected:
  ChangeOver() {
    if (!fs::exists(kHostLocal))
      throw std::runtime_error(std::string(kHostLocal) +
                               " is missing: apt install containernetworking-plugins");
  }

  /// Calls host-local as its node did.
  Outcome host_local(const std::string& verb, const std::string& container) const {
    const json conf{
        {"cniVersion", "1.0.0"},
        {"name", "pods"},
        {"type", "bridge"},
        {"ipam", {{"type", "host-local"}, {"subnet", "10.200.0.0/29"}, {"dataDir", data_dir}}}};
    return run({.argv = {kHostLocal},
                .env = {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + container,
                        "CNI_NETNS=/run/netns/old", "CNI_IFNAME=eth0", "CNI_PATH=/usr/lib/cni"},
                .input = conf.dump()});
  }
  std::string old_lease(const std::string& container) const {
    const auto outcome = host_local("ADD", container);
    if (outcome.status != 0) throw std::runtime_error(outcome.out + outcome.err);
    return IpNet::parse(json::parse(outcome.out)["ips"][0]["address"].get<std::string>())
        .value()
        .addr.str();
  }
  [[nodiscard]] std::vector<std::string> old_leases() const {
    auto names = must(list_directory(data_dir / "pods"));
    std::erase_if(names, [](const auto& name) { return !IpAddr::parse(name); });
    return names;
  }
  /// DEL of a container that host-local has leased to.
  CniAnswer del(const std::string& container, const json& changes = {}) {
    Pod pod("pod-of-" + container);
    pod.container_id = container;
    return node.cni("DEL", pod, changes);
  }

  fs::path data_dir = "/var/lib/cni/networks";
  Node node{"node", "10.200.0.0/29", "ebpf"};  // five addresses for pods
};

TEST_F(ChangeOver, GivesNoAddressOfALivingPodOut) {
  const std::set<std::string> old{old_lease("old1"), old_lease("old2")};

  std::vector<Pod> pods;
  for (const char* name : {"p1", "p2", "p3"}) pods.push_back(node.add_pod(name));

  for (const Pod& pod : pods) EXPECT_FALSE(old.contains(pod.address.str())) << pod.address.str();
  EXPECT_TRUE(failed(node.cni("ADD", Pod("p4")), 11, "5 of 5"));
  EXPECT_TRUE(ok(node.cni("STATUS", pods[0])));
}

TEST_F(ChangeOver, RefusesARequestForTheAddressOfALivingPod) {
  const std::string old = old_lease("old");

  EXPECT_TRUE(
      failed(node.cni("ADD", Pod("p"), {{"runtimeConfig", {{"ips", {old}}}}}), 11, "in use"));
}

TEST_F(ChangeOver, FreesTheAddressWithTheDelOfTheOldContainer) {
  const std::string old = old_lease("old");
  const std::string other = old_lease("other");
  std::vector<Pod> pods;
  for (const char* name : {"p1", "p2", "p3"}) pods.push_back(node.add_pod(name));
  ASSERT_FALSE(ok(node.cni("ADD", Pod("next"))));

  EXPECT_TRUE(ok(del("old")));

  EXPECT_THAT(old_leases(), testing::ElementsAre(other));
  EXPECT_EQ(node.add_pod("next").address.str(), old);
}

TEST_F(ChangeOver, FreesWithGcWhatTheRuntimeDoesNotKnow) {
  old_lease("gone");
  const std::string kept = old_lease("kept");

  EXPECT_TRUE(ok(
      node.cni("GC", Pod("p"),
               {{"cni.dev/valid-attachments", {{{"containerID", "kept"}, {"ifname", "eth0"}}}}})));

  EXPECT_THAT(old_leases(), testing::ElementsAre(kept));
}

TEST_F(ChangeOver, TakesWhatIsOlderThanTheBootForFree) {
  const std::string old = old_lease("old");
  test::must_run({.argv = {"touch", "-d", "2001-01-01", data_dir / "pods" / old}});

  EXPECT_EQ(node.add_pod("p").address.str(), old);
}

TEST_F(ChangeOver, LooksIntoTheFolderThatTheConfigurationNames) {
  data_dir = node.folder() / "networks";
  const std::string old = old_lease("old");

  EXPECT_NE(node.add_pod("p", {{"ipam", {{"migrateFrom", data_dir}}}}).address.str(), old);
  EXPECT_TRUE(ok(del("old", {{"ipam", {{"migrateFrom", data_dir}}}})));
  EXPECT_THAT(old_leases(), testing::IsEmpty());
}

TEST_F(ChangeOver, IsSwitchedOffByTheConfiguration) {
  const std::string old = old_lease("old");

  EXPECT_EQ(node.add_pod("p", {{"ipam", {{"migrateFrom", ""}}}}).address.str(), old);
  EXPECT_TRUE(ok(del("old", {{"ipam", {{"migrateFrom", false}}}})));
  EXPECT_THAT(old_leases(), testing::ElementsAre(old));
}

}  // namespace
}  // namespace kubecni::test
