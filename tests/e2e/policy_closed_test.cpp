// The policies hold while their table is not there: whoever removed it, with and without kube-cnid.
// It prints for how long what they allow is held up.

#include "impatient.hpp"
#include "net/udp_packet.hpp"
#include "policy_nodes.hpp"
#include "support/socket.hpp"
#include "support/traffic.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <regex>
#include <thread>

namespace kubecni::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kForbidden = 50002;
constexpr std::uint16_t kAllowed = 50004;
/// A pod may set it, and no node may see it.
constexpr std::uint32_t kForged = KUBECNI_MARK_JUDGED;

/// Pods 0 and 3 are in the namespace x, 1 and 4 in y, 2 and 5 in z; even ones are on the first
/// node. Those of x talk with those of y alone.
class PolicyClosed : public PolicyOfANode {
 protected:
  explicit PolicyClosed(const std::string& dataplane = "ebpf")
      : PolicyOfANode(dataplane), capture_of_wire_(cluster.a.netns, "eth0") {
    const json peer{
        {{"namespaceSelector", {{"matchLabels", {{"kubernetes.io/metadata.name", "y"}}}}}}};
    objects_ = closing("x", json::array({{{"from", peer}}}));
    objects_["policies"].push_back(
        {{"kind", "NetworkPolicy"},
         {"metadata", {{"name", "out"}, {"namespace", "x"}}},
         {"spec", {{"policyTypes", {"Egress"}}, {"egress", json::array({{{"to", peer}}})}}}});
    write(objects_);
    expect_as_the_oracle_says(objects_);
    EXPECT_TRUE(
        eventually([&] { return is_closed_table() && (!cluster.a.is_ebpf() || needs_mark()); }));
  }

  [[nodiscard]] bool needs_mark() const {
    return must(cluster.a.dataplane().node_config.read()).needs_judged_mark != 0;
  }
  /// Whether the table that only the daemon can change closes the policed pod.
  [[nodiscard]] bool is_closed_table() const {
    return run({.argv = {"nft", "list", "table", "inet", "kube-cni-closed"},
                .netns_fd = cluster.a.netns.fd()})
               .out.find(" " + pods_[0]->address.str() + " ") != std::string::npos;
  }
  /// Whether the table is whole again.
  [[nodiscard]] bool judges() const {
    const auto listing =
        run({.argv = {"nft", "list", "chain", "inet", "kube-cni-policy", "forward"},
             .netns_fd = cluster.a.netns.fd()});
    return listing.out.find("goto judge") != std::string::npos;
  }
  void kill_daemon() const {
    cluster.daemon_a->signal(SIGKILL);
    cluster.daemon_a->wait();
  }

  /// Sends what the policies forbid, without a pause: between pods of a node, from another node, to
  /// another node, and to the outside.
  struct Flood {
    explicit Flood(const PolicyClosed& test)
        : near(test.pods_[2]->netns, kForbidden, {test.pods_[0]->address}, kForged),
          far(test.pods_[5]->netns, kForbidden, {test.pods_[0]->address}, kForged),
          out(test.pods_[0]->netns, kForbidden,
              {test.pods_[2]->address, test.pods_[5]->address, outside()}, kForged) {}
    using Sent = std::array<unsigned, 3>;
    [[nodiscard]] Sent sent() const { return {near.sent(), far.sent(), out.sent()}; }
    Impatient near, far, out;
  };
  static IpAddr outside() { return Underlay::outside_address(AF_INET); }

  /// What of the flood has arrived, or has left the node for the outside.
  std::size_t passed() {
    std::size_t count = arrived(0, kForbidden) + arrived(2, kForbidden) + arrived(5, kForbidden);
    for (const WireFrame& frame : capture_of_wire_.frames()) {
      const FrameHeaders& headers = frame.inner ? *frame.inner : frame.outer;
      count += headers.dst == outside() ||
               (headers.src == pods_[0]->address && headers.src_port == kForbidden);
    }
    return count;
  }
  /// As long as it takes until each has sent so many datagrams.
  static void keep_on(const Flood& flood, unsigned datagrams = 500) {
    const Flood::Sent before = flood.sent();
    EXPECT_TRUE(eventually([&] {
      const Flood::Sent now = flood.sent();
      return std::ranges::equal(
          before, now, [&](unsigned then, unsigned sent) { return sent - then >= datagrams; });
    }));
  }

  /// The kernel cuts it into fragments, and on the bridge puts them together in between.
  void expect_no_large_echo(int family) const {
    EXPECT_EQ(run({.argv = {"ping", "-c", "1", "-W", "1", "-s", "4000", address_of(0, family)},
                   .netns_fd = pods_[2]->netns.fd()})
                  .status,
              1);
  }

  json objects_;
  Capture capture_of_wire_;
};

/// Of removing the table or what judges in it.
const std::vector<std::vector<std::string>> kWays{
    {"nft", "flush", "ruleset"},
    {"nft", "delete", "table", "inet", "kube-cni-policy"},
    {"nft", "flush", "table", "inet", "kube-cni-policy"},
    {"nft", "flush", "chain", "inet", "kube-cni-policy", "forward"},
    {"nft", "flush", "chain", "inet", "kube-cni-policy", "judge"},
    {"nft",
     "flush chain inet kube-cni-policy forward; delete chain inet kube-cni-policy forward; "
     "add chain inet kube-cni-policy forward { type filter hook forward priority 7; }"}};

class PolicyClosedOn : public PolicyClosed,
                       public testing::WithParamInterface<std::string /*dataplane*/> {
 protected:
  PolicyClosedOn() : PolicyClosed(GetParam()) {}
};

TEST_P(PolicyClosedOn, WhileSomebodyRemovesTheTable) {
  const Flood flood(*this);
  const Impatient allowed(pods_[4]->netns, kAllowed, {pods_[0]->address});
  ASSERT_TRUE(eventually([&] { return arrived(0, kAllowed) > 0; }));

  std::chrono::duration<double, std::milli> held_up{};
  constexpr int kTimes = 2;
  for (int i = 0; i < kTimes; ++i)
    for (const auto& way : kWays) {
      cluster.a.must_run(way);
      const auto begin = Clock::now();
      const std::size_t before = arrived(0, kAllowed);
      ASSERT_TRUE(eventually([&] { return arrived(0, kAllowed) > before; }));
      ASSERT_TRUE(eventually([&] { return judges(); })) << cluster.daemon_a->err();
      held_up += Clock::now() - begin;
      ASSERT_EQ(passed(), 0u) << way.at(1);
    }

  std::printf(
      "the table was removed %zu times: allowed datagrams were held up for %.1f ms on "
      "average, %zu of %u forbidden ones passed\n",
      kTimes * kWays.size(), held_up.count() / static_cast<double>(kTimes * kWays.size()), passed(),
      flood.near.sent() + flood.far.sent() + flood.out.sent());
  EXPECT_LT(held_up, std::chrono::seconds(20)) << "rounds of the daemon take longer";
}

// As without an API server: the table of before goes on.
TEST_P(PolicyClosedOn, AfterARestartBeforeThePoliciesAreKnown) {
  kill_daemon();
  must(write_file_atomically(folder_ / "policies.json", "none can be read"));
  const Flood flood(*this);
  const Impatient allowed(pods_[4]->netns, kAllowed, {pods_[0]->address});
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  ASSERT_TRUE(eventually([&] { return is_closed_table(); })) << cluster.daemon_a->err();
  const std::size_t before = arrived(0, kAllowed);
  EXPECT_TRUE(eventually([&] { return arrived(0, kAllowed) > before + 100; }));
  EXPECT_TRUE(ok(ping(pods_[2]->netns, pods_[4]->address))) << "no policy is about them";

  for (const auto& way : {kWays[1], kWays[0]}) {
    cluster.a.must_run(way);
    EXPECT_TRUE(ok(ping(pods_[2]->netns, pods_[4]->address)))
        << "the second table is not about them either";
    keep_on(flood);
    EXPECT_EQ(passed(), 0u) << way.at(1);
  }
}

INSTANTIATE_TEST_SUITE_P(Path, PolicyClosedOn, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

// Nobody but kube-cnid can open them, and it leaves nothing behind.
TEST_F(PolicyClosed, ByATableThatOthersCannotChange) {
  for (const char* command :
       {"delete table inet kube-cni-closed", "flush chain inet kube-cni-closed forward",
        "delete element inet kube-cni-closed pods4 { 10.200.1.2 }"})
    EXPECT_THAT(run({.argv = {"nft", command}, .netns_fd = cluster.a.netns.fd()}).err,
                testing::HasSubstr("Operation not permitted"))
        << command;
  cluster.a.must_run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(is_closed_table());

  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();

  EXPECT_EQ(cluster.a.must_run({"nft", "list", "tables"}).find("kube-cni-closed"),
            std::string::npos);
}

TEST_F(PolicyClosed, WhileTheDaemonIsDead) {
  // Those that passed before the policies were known.
  forget_frames();
  const Flood flood(*this);
  kill_daemon();

  // With its hooks the table still has defragmentation.
  cluster.a.must_run(kWays[4]);
  for (const int family : {AF_INET, AF_INET6}) expect_no_large_echo(family);
  for (const auto& way : {kWays[1], kWays[0]}) {
    cluster.a.must_run(way);
    keep_on(flood);
    EXPECT_EQ(passed(), 0u) << way.at(1);
  }
  for (const int family : {AF_INET, AF_INET6}) {
    const std::string policed = address_of(0, family);
    expect_no_large_echo(family);
    EXPECT_EQ(run({.argv = {"ping", "-c", "1", "-W", "5", "-s", "4000", policed},
                   .netns_fd = cluster.a.netns.fd()})
                  .status,
              0)
        << "the node reaches its pods";
    EXPECT_TRUE(ok(ping(pods_[0]->netns, cluster.a.gateway(family)))) << "and they reach it";
    EXPECT_TRUE(ok(ping(pods_[2]->netns, pods_[4]->address_of(family)))) << "others are open";
    // Not neighbour discovery, which no table judges.
    for (const WireFrame& frame : captures_[0]->frames())
      EXPECT_TRUE(frame.outer.src != pods_[2]->address_of(family) ||
                  frame.outer.protocol == IPPROTO_ICMPV6)
          << frame.str();
  }
  EXPECT_EQ(passed(), 0u);

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  expect_as_the_oracle_says(objects_);
}

// Who removes the table does not end what eBPF carries.
TEST_F(PolicyClosed, AllowedConnectionsOfEbpfGoOn) {
  TcpConnection connection(
      {.client = pods_[4]->netns, .server = pods_[0]->netns, .to = pods_[0]->address});
  EXPECT_TRUE(eventually([&] {
    const ExitCounts before = cluster.a.counters();
    EXPECT_TRUE(ok(connection.client_sends()) && ok(connection.server_sends()));
    const ExitCounts after = cluster.a.counters();
    return grown(before, after, KUBECNI_FAST_TO_LOCAL_POD) > 0 &&
           grown(before, after, KUBECNI_KERNEL_TO_POD) == 0;
  }));
  kill_daemon();

  cluster.a.must_run({"nft", "delete", "table", "inet", "kube-cni-policy"});

  EXPECT_TRUE(ok(connection.client_sends()));
  EXPECT_TRUE(ok(connection.server_sends()));
}

TEST_F(PolicyClosed, WhereBridgedPacketsDoNotMeetTheTable) {
  for (auto* daemon : {&cluster.daemon_a, &cluster.daemon_b}) {
    (*daemon)->signal(SIGTERM);
    (*daemon)->wait();
  }
  for (const Node* node : {&cluster.a, &cluster.b}) {
    for (const char* name : {"iptables", "ip6tables"})
      node->set_sysctl("net/bridge/bridge-nf-call-" + std::string(name), "0");
    node->must_run({"ip", "link", "set", "cni0", "type", "bridge", "nf_call_iptables", "0",
                    "nf_call_ip6tables", "0"});
  }

  const PolicyOracle oracle(objects_);
  EXPECT_EQ(differences([&](const Probe& probe) -> std::optional<bool> {
              const bool is_bridged = &node_of(probe.from) == &node_of(probe.to);
              const bool is_policed = oracle.is_selected(address_of(probe.from, probe.family)) ||
                                      oracle.is_selected(address_of(probe.to, probe.family));
              return !(is_bridged && is_policed) && allows(oracle, probe);
            }),
            "")
      << "the others go on";
}

// As IPVS does with what it translates.
TEST_F(PolicyClosed, TheNodeSendsWhatIsNotItsOwn) {
  for (const int family : {AF_INET, AF_INET6}) {
    const UniqueFd socket = open_socket(cluster.a.netns, family, SOCK_RAW, IPPROTO_RAW);
    const IpAddr to = pods_[0]->address_of(family);
    const SocketAddress address(to, 0);
    const auto send_as = [&](std::size_t pod, std::uint16_t port) {
      const auto packet =
          udp_packet(pods_[pod]->address_of(family), to, {port, Impatient::kPort}, {});
      return ::sendto(socket.get(), packet.data(), packet.size(), 0, address.raw(), address.size());
    };
    const std::size_t before = arrived(0, kAllowed);

    EXPECT_EQ(send_as(5, kForbidden), -1) << family;
    EXPECT_EQ(errno, EPERM) << "dropped in the output hook";
    EXPECT_GT(send_as(1, kAllowed), 0) << family;

    EXPECT_TRUE(eventually([&] { return arrived(0, kAllowed) > before; })) << family;
    EXPECT_EQ(arrived(0, kForbidden), 0u) << family;
  }
}

// They pass for the sake of multicast. To one pod they would carry anything past its policies.
TEST_F(PolicyClosed, GroupReportsAreForGroups) {
  constexpr std::uint8_t kReport = 143;
  for (const std::vector<std::uint8_t>& headers :
       {std::vector<std::uint8_t>{}, std::vector<std::uint8_t>{IPPROTO_HOPOPTS}})
    send_frame(pods_[0]->netns, "eth0",
               ip_packet({.family = AF_INET6,
                          .dst_mac = ports_[2].pod_mac.str(),
                          .src_mac = ports_[0].pod_mac.str(),
                          .src = address_of(0, AF_INET6),
                          .dst = address_of(2, AF_INET6),
                          .protocol = IPPROTO_ICMP,
                          .icmp_type = kReport,
                          .icmp_body = Frame(20),
                          .extension_headers = headers}));
  EXPECT_TRUE(ok(ping(pods_[0]->netns, pods_[4]->address_of(AF_INET6)))) << "it comes last";

  constexpr std::size_t kAfterIpv6 = ETH_HLEN + 40;
  for (const WireFrame& frame : captures_[2]->frames()) {
    if (frame.outer.dst != pods_[2]->address_of(AF_INET6)) continue;
    EXPECT_NE(frame.bytes.at(kAfterIpv6), kReport) << frame.str();
    EXPECT_NE(frame.bytes.at(kAfterIpv6 + 8), kReport) << frame.str();
  }
}

// A version that knows no mark has made the table.
TEST_F(PolicyClosed, ATableWithoutMarksIsReplacedAndNothingAllowedIsCut) {
  kill_daemon();
  const std::string table = cluster.a.must_run({"nft", "list", "table", "inet", "kube-cni-policy"});
  const std::string old =
      std::regex_replace(table, std::regex(R"(meta mark set meta mark \| 0x02000000)"), "");
  ASSERT_NE(old, table);
  must(cluster.a.dataplane().node_config.set_needs_judged_mark(false));
  cluster.a.must_run({"nft", "delete table inet kube-cni-policy; " + old});
  const Flood flood(*this);
  const Impatient allowed(pods_[1]->netns, kAllowed, {pods_[0]->address});
  ASSERT_TRUE(eventually([&] { return arrived(0, kAllowed) > 100; }));
  const ExitCounts before = cluster.a.counters();

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  ASSERT_TRUE(eventually([&] { return needs_mark(); }));
  keep_on(flood);

  EXPECT_EQ(grown(before, cluster.a.counters(), KUBECNI_DROP_NOT_JUDGED), 0u);
  EXPECT_EQ(passed(), 0u);
}

TEST_F(PolicyClosed, CleanupEndsThePoliciesOfLivingPods) {
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();

  run({.argv = {program("kube-cnid"), "cleanup", "--state-dir", cluster.a.state_dir(), "--run-dir",
                cluster.a.run_dir(), "--bpffs", cluster.a.bpffs()},
       .netns_fd = cluster.a.netns.fd()});

  EXPECT_FALSE(has_table(cluster.a));
  EXPECT_TRUE(ok(ping(pods_[2]->netns, pods_[0]->address)));
}

TEST_F(PolicyClosed, NoLongerThanThereArePolicies) {
  json none = objects_;
  none["policies"] = json::array();
  write(none);

  EXPECT_TRUE(eventually([&] { return !has_table(cluster.a); }));
  EXPECT_FALSE(needs_mark());
  EXPECT_FALSE(is_closed_table());
}

}  // namespace
}  // namespace kubecni::test
