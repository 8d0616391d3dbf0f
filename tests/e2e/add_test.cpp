// ADD beyond one pod: many at once, without a subnet, without eBPF.

#include "expect.hpp"
#include "ipam/lease_store.hpp"
#include "state/node_info.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"

#include <filesystem>
#include <set>

namespace kubecni::test {
namespace {

using nlohmann::json;

constexpr unsigned kPods = 30;

class Add : public testing::Test {
 protected:
  Node node{"node", "10.200.0.0/24", "auto"};
};

std::vector<Outcome> all_at_once(const Node& node, const std::string& verb,
                                 const std::vector<Pod>& pods) {
  std::vector<Process> calls;
  for (const Pod& pod : pods) calls.push_back(node.start(node.call_for(verb, pod)));
  std::vector<Outcome> outcomes;
  for (Process& call : calls) outcomes.push_back(call.wait(std::chrono::seconds(60)));
  return outcomes;
}

TEST_F(Add, ThirtyAtOnceAndTheirDelsToo) {
  std::vector<Pod> pods;
  for (unsigned i = 0; i < kPods; ++i) pods.emplace_back("pod" + std::to_string(i));

  std::set<std::string> addresses;
  for (const auto& added : all_at_once(node, "ADD", pods)) {
    ASSERT_EQ(added.status, 0) << added.out << added.err;
    addresses.insert(json::parse(added.out)["ips"][0]["address"].get<std::string>());
  }
  EXPECT_EQ(addresses.size(), kPods);
  for (const Pod& pod : pods) EXPECT_TRUE(node.attachment(pod).ebpf);
  EXPECT_TRUE(
      ok(ping(pods.front().netns, node.attachment(pods.back()).port.addresses.front().net.addr)));

  for (const auto& deleted : all_at_once(node, "DEL", pods))
    EXPECT_EQ(deleted.status, 0) << deleted.out << deleted.err;
  EXPECT_THAT(node.must_run({"ip", "-br", "link"}), testing::Not(testing::HasSubstr("veth")));
  EXPECT_THAT(state_of(node, {}, false),
              testing::AllOf(testing::Not(testing::HasSubstr("/ipam/")),
                             testing::Not(testing::HasSubstr("/links/")),
                             testing::Not(testing::HasSubstr("/attachments/"))));
}

TEST_F(Add, TheConfigurationOfTheTutorialWorksUnchanged) {
  // The sandbox's own /var/lib, /run and /sys/fs/bpf are private.
  const Pod pod("pod");
  CniCall call = node.call_for("ADD", pod);
  call.input = R"({"cniVersion": "0.3.0", "name": "k8s-pod-network", "type": "kube-cni",
                   "network": "10.200.0.0/16", "subnet": "10.200.0.0/24"})";

  EXPECT_TRUE(ok(node.call(call)));
  EXPECT_TRUE(ok(ping(pod.netns, node.gateway())));

  call.env[0] = "CNI_COMMAND=DEL";
  EXPECT_TRUE(ok(node.call(call)));
}

TEST_F(Add, WithoutSubnetTakesWhatTheDaemonLearned) {
  std::filesystem::create_directories(node.state_dir());
  must(
      save_node_info(node.state_dir(),
                     {.name = "node", .pod_cidrs = {*IpNet::parse("10.200.7.0/24")}, .mtu = 1450}));

  const Pod pod = node.add_pod("pod", {{"subnet", nullptr}});

  EXPECT_EQ(pod.address.str(), "10.200.7.2");
  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "link", "show", "eth0"}),
              testing::HasSubstr("mtu 1450"));
}

TEST_F(Add, WithoutSubnetAndDaemonAsksToTryAgain) {
  const Pod pod("pod");
  const auto before = state_of(node, {&pod});

  const auto answer = node.cni("ADD", pod, {{"subnet", nullptr}});

  EXPECT_TRUE(failed(answer, 11, "kube-cnid"));
  EXPECT_EQ(state_of(node, {&pod}), before);
}

TEST_F(Add, MtuOfTheConfigurationIsThatOfBothEnds) {
  const Pod pod = node.add_pod("pod", {{"mtu", 1400}});

  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "link", "show", "eth0"}),
              testing::HasSubstr("mtu 1400"));
  EXPECT_THAT(node.must_run({"ip", "link", "show", node.attachment(pod).port.host_ifname}),
              testing::HasSubstr("mtu 1400"));
}

TEST_F(Add, PodGetsTheKernelPathAndTheReasonIfEbpfDoesNotLoad) {
  const json no_bpffs{{"bpffs", "/run/no-bpffs"}};
  Pod one("one");

  json talking = no_bpffs;
  talking["logLevel"] = "info";

  const auto answer = node.cni("ADD", one, talking);
  const Pod two = node.add_pod("two", no_bpffs);

  ASSERT_TRUE(ok(answer));
  EXPECT_THAT(answer.err, testing::AllOf(testing::HasSubstr("kernel path only"),
                                         testing::HasSubstr("/run/no-bpffs")));
  EXPECT_FALSE(node.attachment(one).ebpf);
  EXPECT_THAT(node.attachment(one).fallback_reason, testing::HasSubstr("/run/no-bpffs"));
  EXPECT_TRUE(ok(tcp_transfer(one.netns, two.netns, two.address)));
  EXPECT_TRUE(
      ok(node.cni("CHECK", one, {{"bpffs", "/run/no-bpffs"}, {"prevResult", answer.json}})));
  EXPECT_TRUE(ok(node.cni("DEL", one, no_bpffs)));
}

TEST_F(Add, PodsOfBothPathsReachEachOther) {
  const Pod fast = node.add_pod("fast");
  const Pod slow = node.add_pod("slow", {{"dataplane", "bridge"}});

  EXPECT_TRUE(ok(ping(fast.netns, slow.address)));
  EXPECT_TRUE(ok(tcp_transfer(fast.netns, slow.netns, slow.address, 4 << 20)));
  EXPECT_TRUE(ok(tcp_transfer(slow.netns, fast.netns, fast.address, 4 << 20)));
}

TEST_F(Add, ASecondInterfaceOfTheSamePodGetsItsOwnAddress) {
  Pod pod = node.add_pod("pod");
  const auto first = pod.address;
  pod.ifname = "net1";

  const auto answer = node.cni("ADD", pod);

  ASSERT_TRUE(ok(answer));
  EXPECT_NE(answer.json["ips"][0]["address"], first.str() + "/24");
}

}  // namespace
}  // namespace kubecni::test
