// What fits the tunnel: pods' MTU, fragments, and the node's errors about packets that must not be
// fragmented.

#include "paths.hpp"
#include "support/traffic.hpp"

#include <tuple>

namespace kubecni::test {
namespace {

class TunnelMtu : public testing::TestWithParam<std::tuple<std::string /*dataplane*/, int>> {
 protected:
  static unsigned mtu_of(const NetNs& netns, const std::string& link) {
    return nlohmann::json::parse(Node::must_run_in(netns, {"ip", "-j", "link", "show", link}))
        .at(0)
        .at("mtu");
  }

  /// ping(8)'s output, whatever the result.
  [[nodiscard]] std::string ping_output(const Pod& from, unsigned bytes, bool may_cut) const {
    return run({.argv = {"ping", "-c", "2", "-i", "0.2", "-W", "2", "-M", may_cut ? "dont" : "do",
                         "-s", std::to_string(bytes), cluster.pod_b->address.str()},
                .netns_fd = from.netns.fd()})
        .out;
  }

  /// Lets the pod send packets of 1500 bytes, like a pod from before the first node behind a
  /// tunnel.
  void widen(const Pod& pod) const {
    const std::string host = cluster.a.attachment(pod).port.host_ifname;
    cluster.a.must_run({"ip", "link", "set", host, "mtu", "1500"});
    Node::must_run_in(pod.netns, {"ip", "link", "set", "eth0", "mtu", "1500"});
  }

  const int family = std::get<1>(GetParam());
  const unsigned fits = family == AF_INET ? 1450 : 1430;
  const unsigned headers = family == AF_INET ? 28 : 48;  // IP and ICMP
  Cluster cluster{{.dataplane = std::get<0>(GetParam()),
                   .families = family == AF_INET ? Families::kV4 : Families::kV6,
                   .topology = Topology::kTwoSegments}};
};

TEST_P(TunnelMtu, PodsGetWhatFits) {
  EXPECT_EQ(mtu_of(cluster.pod_a->netns, "eth0"), fits);
  EXPECT_EQ(mtu_of(cluster.a.netns, "kcni.vxlan"), fits);
  EXPECT_THAT(ping_output(*cluster.pod_a, fits - headers, false), testing::HasSubstr(" 0% packet"));
}

TEST_P(TunnelMtu, LargePacketsAreCutAndArrive) {
  EXPECT_THAT(ping_output(*cluster.pod_a, 4000, true), testing::HasSubstr(" 0% packet"));
  widen(*cluster.pod_a);
  EXPECT_THAT(ping_output(*cluster.pod_a, 4000, true), testing::HasSubstr(" 0% packet"));
}

TEST_P(TunnelMtu, TheNodeSaysWhatDoesNotFit) {
  widen(*cluster.pod_a);

  const std::string said = ping_output(*cluster.pod_a, 1500 - headers, false);

  EXPECT_THAT(said,
              testing::HasSubstr((family == AF_INET ? "mtu = " : "mtu=") + std::to_string(fits)));
}

TEST_P(TunnelMtu, ATransferFromAWiderPodGoesOn) {
  widen(*cluster.pod_a);

  EXPECT_TRUE(ok(
      tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address, 4 << 20)));
}

INSTANTIATE_TEST_SUITE_P(On, TunnelMtu,
                         testing::Combine(testing::Values("ebpf", "bridge"),
                                          testing::Values(AF_INET, AF_INET6)),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) +
                                  (std::get<1>(tested.param) == AF_INET ? "_v4" : "_v6");
                         });

}  // namespace
}  // namespace kubecni::test
