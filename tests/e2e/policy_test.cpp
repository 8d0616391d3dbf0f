// NetworkPolicies between the pods of two nodes: frames of every protocol are sent between all
// pods, and those that arrive are compared with what the oracle says of the objects.

#include "policy_nodes.hpp"
#include "support/traffic.hpp"

#include <csignal>
#include <utility>

namespace kubecni::test {
namespace {

std::string name_of(const testing::TestParamInfo<PolicyMode>& info) {
  return info.param.dataplane + "_" + info.param.routing +
         (info.param.mode == "bridge" ? "" : "_" + info.param.mode);
}

class PolicyTruth : public PolicyTest, public testing::WithParamInterface<PolicyMode> {
 protected:
  PolicyTruth() : PolicyTest(GetParam()) {}
};

TEST_P(PolicyTruth, TablesAreWhatTheOracleSays) {
  add_pods();
  for (unsigned seed = 1; seed <= 4 && !HasFailure(); ++seed) {
    const json objects = RandomPolicies(seed).cluster(pods_.size(), 1 + seed % 4, addresses());
    SCOPED_TRACE("seed " + std::to_string(seed));

    write(objects);

    expect_as_the_oracle_says(objects);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, PolicyTruth,
                         testing::Values(PolicyMode{"ebpf", "direct"}, PolicyMode{"ebpf", "vxlan"},
                                         PolicyMode{"bridge", "direct"},
                                         PolicyMode{"bridge", "vxlan"},
                                         PolicyMode{"ebpf", "vxlan", {}, "ptp"},
                                         PolicyMode{"bridge", "direct", {}, "ptp"}),
                         name_of);

TEST_F(PolicyOfANode, EndsWithTheLastPolicy) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  EXPECT_TRUE(is_policed(0)) << "it is in the namespace";
  EXPECT_FALSE(is_policed(2)) << "it is not";

  json none = objects;
  none["policies"] = json::array();
  write(none);

  EXPECT_TRUE(eventually([&] { return !has_table(cluster.a) && !is_policed(0); }));
  EXPECT_FALSE(std::filesystem::exists(cluster.a.state_dir() / "policies"));
}

TEST_F(PolicyOfANode, HoldsWhateverTheSysctlOfBridgesSays) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  // No round of the daemon puts it right.
  for (auto* daemon : {&cluster.daemon_a, &cluster.daemon_b}) {
    (*daemon)->signal(SIGTERM);
    (*daemon)->wait();
  }
  for (const Node* node : {&cluster.a, &cluster.b})
    for (const char* name :
         {"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"})
      node->set_sysctl(name, "0");

  EXPECT_EQ(differences(PolicyOracle(objects)), "");
}

TEST_F(PolicyOfANode, ComesBackWhenSomebodyFlushesTheRuleset) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);

  for (const Node* node : {&cluster.a, &cluster.b}) node->must_run({"nft", "flush", "ruleset"});

  expect_as_the_oracle_says(objects);
}

TEST_F(PolicyOfANode, StaysWhenTheDaemonStartsAgain) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  std::filesystem::remove(folder_ / "policies.json");
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  ASSERT_TRUE(eventually([&] { return knows_cidr(cluster.a, cluster.member(1).cidrs[0]); }));
  EXPECT_EQ(differences(PolicyOracle(objects)), "");
}

TEST_F(PolicyOfANode, WithoutTheTableANewPodIsRefused) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  cluster.a.must_run({"nft", "delete", "table", "inet", "kube-cni-policy"});

  const Pod late("late");
  const json from_daemon{{"subnet", nullptr}, {"ipam", nullptr}};
  EXPECT_TRUE(failed(cluster.a.cni("ADD", late, from_daemon), 11, "network policies"));

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  EXPECT_TRUE(eventually([&] { return has_table(cluster.a); }));
  EXPECT_TRUE(ok(cluster.a.cni("ADD", late, from_daemon)));
}

TEST_F(PolicyOfANode, HoldsForLinkLocalAddressesToo) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);

  // Of y and z, to one of x, all on one node.
  for (const std::size_t to : {std::size_t{0}, std::size_t{4}}) {
    const std::uint16_t id = static_cast<std::uint16_t>(53000 + to);
    send_frame(pods_[2]->netns, "eth0",
               ip_packet({.family = AF_INET6,
                          .dst_mac = ports_[to].pod_mac.str(),
                          .src_mac = ports_[2].pod_mac.str(),
                          .src = ports_[2].pod_mac.link_local().str(),
                          .dst = ports_[to].pod_mac.link_local().str(),
                          .src_port = id,
                          .dst_port = kFirstPort}));
  }
  EXPECT_TRUE(eventually([&] { return arrived_at(4).contains(53004); }));
  EXPECT_FALSE(arrived_at(0).contains(53000));
}

TEST_F(PolicyOfANode, BlockMayHaveManyExceptions) {
  json except = json::array();
  for (int i = 0; i < 200; ++i) except.push_back("172.16." + std::to_string(i) + ".0/24");
  except.push_back("172.16.0.0/20");
  const json rule{{"from", {{{"ipBlock", {{"cidr", "0.0.0.0/0"}, {"except", except}}}}}}};
  const json objects = closing("x", json::array({rule}));

  write(objects);

  expect_as_the_oracle_says(objects);
}

// Other nodes are tested at an address in the node's PodCIDR that is no pod's.
TEST_F(PolicyOfANode, LeavesTheTestOfOtherNodesAlone) {
  const json objects = closing("x");
  write(objects);
  expect_as_the_oracle_says(objects);
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  std::filesystem::remove(cluster.a.run_dir() / "status.json");
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  json probes;
  EXPECT_TRUE(eventually([&] {
    const auto text = read_file(cluster.a.run_dir() / "status.json");
    if (!text) return false;
    probes = json::parse(*text).at("probes");
    return probes.at("answering") == 2 && probes.at("silent") == 0;
  })) << probes.dump(1);
}

TEST_F(PolicyOfANode, HoldsForAConnectionThatIsOpen) {
  const json open = closing("y", json::array({json::object()}));
  write(open);
  expect_as_the_oracle_says(open);
  TcpTransfer transfer({.client = pods_[0]->netns,
                        .server = pods_[1]->netns,  // of y
                        .to = pods_[1]->address,
                        .bytes = TcpTransfer::kUntilFinish,
                        .bytes_per_second = 4 << 20});
  ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > 0; }));
  const auto before = cluster.a.counters();
  EXPECT_TRUE(eventually([&] {
    return grown(before, cluster.a.counters(), KUBECNI_FAST_TO_NODE) > 100;
  })) << "what the kernel path lets pass, eBPF carries";

  write(closing("y"));
  using Clock = std::chrono::steady_clock;
  std::uint64_t last = 0;
  auto since = Clock::now();
  EXPECT_TRUE(eventually([&] {
    if (const auto now = transfer.bytes_received(); now != std::exchange(last, now))
      since = Clock::now();
    return Clock::now() - since > std::chrono::milliseconds(500);
  }));
  const auto stopped_at = transfer.bytes_received();

  write(open);

  EXPECT_TRUE(eventually([&] { return transfer.bytes_received() > stopped_at; }));
  EXPECT_TRUE(ok(transfer.finish()));
}

}  // namespace
}  // namespace kubecni::test
