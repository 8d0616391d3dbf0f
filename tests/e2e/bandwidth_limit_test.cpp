// Limits of bandwidth that kube-cni makes itself (runtimeConfig.bandwidth): the rates that come
// through, what a hostile pod can do about them, and that nothing of them stays.

#include "base/file.hpp"
#include "cluster.hpp"
#include "rates.hpp"
#include "support/node_state.hpp"
#include "support/packet.hpp"
#include "support/program.hpp"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>
#include <thread>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr double kAsked = 40'000'000;  // bits per second

/// Sends frames by the pod's interface.
UniqueFd frame_socket(const Pod& pod) {
  UniqueFd fd;
  pod.netns.enter([&] {
    fd.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_ifindex = static_cast<int>(::if_nametoindex(pod.ifname.c_str()));
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0)
      must(Result<>(sys_error(errno, "bind to " + pod.ifname)));
  });
  return fd;
}

/// Bytes that eBPF has sent, of some 14 MB in all.
double sent_through_the_limit(const ExitCounts& before, const ExitCounts& after) {
  return static_cast<double>(after[KUBECNI_FAST_SENT_TO_POD].bytes -
                             before[KUBECNI_FAST_SENT_TO_POD].bytes);
}

struct RateCase {
  std::string name;
  std::string dataplane;
  bool is_to_pod;
  unsigned flows;
  int family;
  bool is_with_node = false;  ///< the other end is the node, not another pod

  friend void PrintTo(const RateCase& rate, std::ostream* out) { *out << rate.name; }
};

class BandwidthRate : public testing::TestWithParam<RateCase> {};

TEST_P(BandwidthRate, OfTcpIsAsAskedFor) {
  const auto& [name, dataplane, is_to_pod, flows, family, is_with_node] = GetParam();
  const Node node("node", std::vector<std::string>{"10.200.0.0/24", "fd00:1::/64"}, dataplane);
  const Pod other = node.add_pod("other");
  const Pod pod = node.add_pod("pod", limited_to(is_to_pod ? kAsked : 0, is_to_pod ? 0 : kAsked));
  const NetNs& peer = is_with_node ? node.netns : other.netns;
  const IpAddr peer_address = is_with_node ? node.gateway(family) : other.address_of(family);

  const ExitCounts before = node.is_ebpf() ? node.counters() : ExitCounts{};

  const double rate = is_to_pod ? tcp_rate(peer, pod.netns, pod.address_of(family), flows)
                                : tcp_rate(pod.netns, peer, peer_address, flows);

  EXPECT_NEAR(rate, kAsked, kTolerance * kAsked);
  if (!node.is_ebpf() || !is_to_pod) return;
  const ExitCounts after = node.counters();
  EXPECT_GT(sent_through_the_limit(before, after), 8e6) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_PASS_SHAPED), 0u) << growth(before, after);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BandwidthRate,
    testing::Values(RateCase{"ToPodOneFlow", "ebpf", true, 1, AF_INET},
                    RateCase{"ToPodEightFlowsOfIpv6", "ebpf", true, 8, AF_INET6},
                    RateCase{"FromPodOneFlowOfIpv6", "ebpf", false, 1, AF_INET6},
                    RateCase{"FromPodEightFlows", "ebpf", false, 8, AF_INET},
                    RateCase{"FromPodToTheNode", "ebpf", false, 1, AF_INET, true},
                    RateCase{"ToPodWithoutEbpf", "bridge", true, 1, AF_INET},
                    RateCase{"FromPodWithoutEbpf", "bridge", false, 8, AF_INET}),
    [](const auto& tested) { return tested.param.name; });

class BandwidthLimit : public testing::Test {
 protected:
  [[nodiscard]] std::string record_of(const Pod& pod) const {
    return node.state_dir() / "attachments" / "pods" / (pod.container_id + ":eth0");
  }
  [[nodiscard]] std::string limits_of(const Pod& pod) const {
    const std::string host = node.attachment(pod).port.host_ifname;
    return node.must_run(
        {"sh", "-c", "tc qdisc show; tc filter show dev " + host + " ingress; ip -o link"});
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod other = node.add_pod("other");
};

TEST_F(BandwidthLimit, OfUdpIsAsAskedForInBothDirectionsAtOnce) {
  const Pod pod = node.add_pod("pod", limited_to(kAsked, kAsked));
  // Half as many again as the limit lets through.
  const UdpFlood to_pod(other, pod, 5'000), from_pod(pod, other, 5'000);

  double to_pod_rate = 0;
  std::thread measuring([&] { to_pod_rate = measure([&] { return received_by(pod); }); });
  const double from_pod_rate = measure([&] { return received_by(other); });
  measuring.join();

  EXPECT_NEAR(to_pod_rate, kAsked, kTolerance * kAsked);
  EXPECT_NEAR(from_pod_rate, kAsked, kTolerance * kAsked);
}

TEST_F(BandwidthLimit, HoldsForFramesOfAHostilePod) {
  constexpr double kLow = 1'000'000;
  const Pod pod = node.add_pod("pod", limited_to(0, kLow));
  Node::must_run_in(pod.netns, {"sh", "-c",
                                "tc qdisc del dev eth0 root 2>/dev/null;"
                                "ip link set eth0 txqueuelen 10000 mtu 1500"});
  const PodPort port = node.attachment(pod).port;
  const Frame frame = arp_packet({.dst_mac = node.attachment(other).port.pod_mac.str(),
                                  .src_mac = port.pod_mac.str(),
                                  .sender_mac = port.pod_mac.str(),
                                  .sender_ip = pod.address.str(),
                                  .target_ip = other.address.str()});
  const UniqueFd socket = frame_socket(pod);
  const Flood flood(10'000, [&] { (void)::send(socket.get(), frame.data(), frame.size(), 0); });

  const double rate = measure([&] { return received_by(other); });

  EXPECT_NEAR(rate, kLow, kTolerance * kLow);
}

TEST_F(BandwidthLimit, IsSaidAndLeavesNothing) {
  const Pod pod("pod");
  const std::string before = state_of(node, {&pod}, false);
  json wanted = limited_to(kAsked, kAsked);

  const CniAnswer added = node.cni("ADD", pod, wanted);
  ASSERT_TRUE(ok(added));
  EXPECT_THAT(limits_of(pod), HasSubstr("ifb"));
  const auto endpoints =
      must_run({.argv = {program("kube-cnictl"), "endpoints", "--state-dir", node.state_dir(),
                         "--run-dir", node.run_dir(), "--bpffs", node.bpffs()},
                .netns_fd = node.netns.fd()});
  EXPECT_THAT(endpoints, HasSubstr("it receives 40 Mbit/s and sends 40 Mbit/s at most"));
  wanted["prevResult"] = added.json;
  EXPECT_TRUE(ok(node.cni("CHECK", pod, wanted)));

  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

TEST_F(BandwidthLimit, ThatIsMissingOrAnotherIsFoundByCheck) {
  const Pod pod("pod");
  json wanted = limited_to(kAsked, kAsked);
  wanted["prevResult"] = node.cni("ADD", pod, wanted).json;
  const std::string host = node.attachment(pod).port.host_ifname, ifb = "ifb" + host.substr(4);
  const auto says = [&](const std::string& script, const std::string& what) {
    node.must_run({"sh", "-ec", "H=" + host + "; I=" + ifb + "; " + script});
    return failed(node.cni("CHECK", pod, wanted), 100, what);
  };

  EXPECT_TRUE(says("tc qdisc change dev $H root tbf rate 50mbit burst 100000 limit 250000",
                   "what the pod receives is not limited to 40 Mbit/s by a tbf on " + host));
  EXPECT_TRUE(
      says("tc qdisc replace dev $H root tbf rate 40mbit burst 100000 limit 250000;"
           "tc filter del dev $H ingress pref 100",
           "what the pod sends is not limited to 40 Mbit/s by a tbf on " + ifb));
  EXPECT_TRUE(says("ip link del $I", "what the pod sends is not limited"));
}

TEST_F(BandwidthLimit, IsRemovedByGcAndThoughTheRecordIsLost) {
  const Pod gone("gone"), lost("lost");
  const std::string before = state_of(node, {}, false);
  for (const Pod* pod : {&gone, &lost})
    ASSERT_TRUE(ok(node.cni("ADD", *pod, limited_to(1e6, 1e6))));
  std::filesystem::remove(record_of(lost));

  EXPECT_TRUE(ok(node.cni("DEL", lost)));
  EXPECT_TRUE(
      ok(node.cni("GC", gone,
                  {{"cni.dev/valid-attachments",
                    json::array({{{"containerID", other.container_id}, {"ifname", "eth0"}}})}})));

  EXPECT_EQ(state_of(node, {}, false), before);
}

TEST_F(BandwidthLimit, ThatIsMalformedChangesNothing) {
  const Pod pod("pod");
  const std::string before = state_of(node, {&pod}, false);

  EXPECT_TRUE(failed(node.cni("ADD", pod, limited_to(100)), 7, "ingressRate is 100"));

  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

struct WayCase {
  std::string name;
  std::string routing;
  bool is_to_pod;

  friend void PrintTo(const WayCase& way, std::ostream* out) { *out << way.name; }
};

class BandwidthBetweenNodes : public testing::TestWithParam<WayCase> {};

TEST_P(BandwidthBetweenNodes, IsAsAskedFor) {
  const auto& [name, routing, is_to_pod] = GetParam();
  Cluster cluster(ClusterOptions{.routing = {routing}});
  Pod pod("pod");
  json wanted = limited_to(is_to_pod ? kAsked : 0, is_to_pod ? 0 : kAsked);
  wanted.update({{"subnet", nullptr}, {"ipam", nullptr}});
  const CniAnswer added = cluster.a.cni("ADD", pod, wanted);
  ASSERT_TRUE(ok(added));
  const std::string cidr = added.json["ips"][0]["address"];
  const IpAddr address = IpNet::parse(cidr).value().addr;
  const ExitCounts before = cluster.a.counters();

  const double rate = is_to_pod
                          ? tcp_rate(cluster.pod_b->netns, pod.netns, address, 8)
                          : tcp_rate(pod.netns, cluster.pod_b->netns, cluster.pod_b->address, 8);

  EXPECT_NEAR(rate, kAsked, kTolerance * kAsked);
  const ExitCounts after = cluster.a.counters();
  if (is_to_pod) {
    EXPECT_GT(sent_through_the_limit(before, after), 8e6) << growth(before, after);
    EXPECT_EQ(grown(before, after, KUBECNI_PASS_SHAPED), 0u) << growth(before, after);
  }
  EXPECT_TRUE(ok(cluster.a.cni("DEL", pod)));
}

INSTANTIATE_TEST_SUITE_P(Each, BandwidthBetweenNodes,
                         testing::Values(WayCase{"FromPod", "direct", false},
                                         WayCase{"ToPod", "direct", true},
                                         WayCase{"ToPodThroughTheTunnel", "vxlan", true}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace kubecni::test
