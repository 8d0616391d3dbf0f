// Limits of what pods send, where fq of the NIC keeps the departure times that eBPF gives: the
// rates that come through, and that the limit is one for both paths.

#include "devices.hpp"
#include "paths.hpp"
#include "rates.hpp"

#include <algorithm>
#include <string>
#include <thread>

namespace kubecni::test {
namespace {

using nlohmann::json;

constexpr double kAsked = 16'000'000;

bool has_fq() {
  const NetNs trial("trial");
  return run({.argv = {"tc", "qdisc", "add", "dev", "lo", "root", "fq"}, .netns_fd = trial.fd()})
             .status == 0;
}

struct PacedCase {
  std::string name;
  std::string routing;
  unsigned flows;
  int family;
  double ingress = 0;  ///< the limit of what the pod receives
  std::string mode = "bridge";
  double egress = kAsked;

  friend void PrintTo(const PacedCase& tested, std::ostream* out) { *out << tested.name; }
};

/// A pod with a limit on a node whose NIC has fq.
class Paced : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_fq()) GTEST_SKIP() << "this kernel has no fq; tools/kernels tests it on 6.12";
  }

  struct Site {
    Site(const PacedCase& tested, const std::string& fq)
        : cluster(ClusterOptions{.mode = tested.mode,
                                 .families = Families::kDual,
                                 .routing = {tested.routing},
                                 .patience = kPatience}) {
      if (!fq.empty()) cluster.a.must_run({"tc", "qdisc", "replace", "dev", "eth0", "root", fq});
      conf = limited_to(tested.ingress, tested.egress);
      conf.update({{"subnet", nullptr}, {"ipam", nullptr}, {"mode", tested.mode}});
      const CniAnswer added = cluster.a.cni("ADD", pod, conf);
      if (added.status != 0) throw std::runtime_error(added.out);
      for (const auto& ip : added.json["ips"])
        addresses.push_back(IpNet::parse(ip["address"].get<std::string>()).value().addr);
      pod.address = addresses.front();
      conf["prevResult"] = added.json;
    }
    [[nodiscard]] const Node& node() const { return cluster.a; }
    [[nodiscard]] const Pod& far() const { return *cluster.pod_b; }
    [[nodiscard]] bool is_paced() const {
      return std::ranges::any_of(
          must(node().dataplane().pods.endpoints.endpoints().entries()),
          [](const auto& entry) { return entry.second.flags & KUBECNI_ENDPOINT_PACED; });
    }
    [[nodiscard]] bool becomes_paced(bool wanted) const {
      return eventually([&] { return is_paced() == wanted; }, kPatience);
    }
    /// Takes entries of the pods away, and waits until kube-cnid has put them back.
    [[nodiscard]] bool is_looked_at() const {
      auto dataplane = node().dataplane();
      PodIfaceMap& ifaces = dataplane.pods.endpoints.pod_ifaces();
      const auto all = must(ifaces.entries());
      for (const auto& [ifindex, iface] : all) must(ifaces.erase(ifindex));
      return eventually([&] { return must(ifaces.entries()).size() == all.size(); }, kPatience);
    }
    /// Packets that fq has held back until their time.
    [[nodiscard]] std::uint64_t held_back() const {
      for (const json& qdisc :
           json::parse(node().must_run({"tc", "-s", "-j", "qdisc", "show", "dev", "eth0"})))
        if (qdisc["kind"] == "fq") return qdisc["throttled"];
      return 0;
    }

    Cluster cluster;
    Pod pod{"pod"};
    std::vector<IpAddr> addresses;
    json conf;  ///< what the plugin is told
  };
};

class PacedRate : public Paced, public testing::WithParamInterface<PacedCase> {};

TEST_P(PacedRate, OfTcpIsAsAskedForByEbpf) {
  const PacedCase& tested = GetParam();
  const bool tunnel = tested.routing == "vxlan";
  Site site(tested, "fq");
  ASSERT_TRUE(site.becomes_paced(true)) << site.cluster.daemon_a->err();
  const ExitCounts before = site.node().counters();

  const double rate =
      tcp_rate(site.pod.netns, site.far().netns, site.far().address_of(tested.family), tested.flows,
               tunnel ? 1450 : 1500);

  EXPECT_NEAR(rate, tested.egress, kTolerance * tested.egress);
  const ExitCounts after = site.node().counters();
  EXPECT_GT(grown(before, after, path_reasons(tunnel).fast_out), 100u) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_PASS_SHAPED), 0u) << growth(before, after);
  EXPECT_GT(4 * site.held_back(), grown(before, after, path_reasons(tunnel).fast_out));
}

INSTANTIATE_TEST_SUITE_P(
    Each, PacedRate,
    testing::Values(PacedCase{"OneFlow", "direct", 1, AF_INET},
                    PacedCase{"EightFlowsOfIpv6", "direct", 8, AF_INET6},
                    PacedCase{"EightFlowsThroughTheTunnel", "vxlan", 8, AF_INET},
                    PacedCase{"OneFlowOfIpv6ThroughTheTunnel", "vxlan", 1, AF_INET6},
                    PacedCase{"WithALimitOfWhatItReceives", "direct", 1, AF_INET, kAsked},
                    PacedCase{"InModePtp", "direct", 1, AF_INET, 0, "ptp"},
                    PacedCase{"AtAHigherRate", "direct", 8, AF_INET, 0, "bridge", 64'000'000}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(Paced, OfUdpIsAsAskedFor) {
  Site site({"", "direct", 1, AF_INET}, "fq");
  ASSERT_TRUE(site.becomes_paced(true)) << site.cluster.daemon_a->err();
  const ExitCounts before = site.node().counters();
  const UdpFlood flood(site.pod, site.far(), 2'000);

  const double rate = measure([&] { return received_by(site.far()); });

  EXPECT_NEAR(rate, kAsked, kTolerance * kAsked);
  const ExitCounts after = site.node().counters();
  EXPECT_GT(grown(before, after, KUBECNI_FAST_TO_NODE), 1000u) << growth(before, after);
  EXPECT_GT(grown(before, after, KUBECNI_DROP_OVER_LIMIT), 100u) << growth(before, after);
  EXPECT_GT(site.held_back(), 0u);
}

TEST_F(Paced, TheLimitIsOneForBothPaths) {
  Site site({"", "direct", 1, AF_INET}, "fq");
  ASSERT_TRUE(site.becomes_paced(true)) << site.cluster.daemon_a->err();
  const Pod& near = *site.cluster.pod_a;

  double by_kernel = 0;
  std::thread measuring([&] { by_kernel = tcp_rate(site.pod.netns, near.netns, near.address, 1); });
  const double by_ebpf = tcp_rate(site.pod.netns, site.far().netns, site.far().address, 1);
  measuring.join();

  EXPECT_NEAR(by_kernel + by_ebpf, kAsked, 2 * kTolerance * kAsked) << by_kernel << " " << by_ebpf;
  EXPECT_GT(by_kernel, kAsked / 20);
  EXPECT_GT(by_ebpf, kAsked / 20);
}

TEST_F(Paced, WithoutFqTheKernelPathHasThePod) {
  Site site({"", "direct", 1, AF_INET}, "");
  // Another device does not help.
  site.node().must_run({"sh", "-ec",
                        "ip link add other type dummy; ip link set other up;"
                        "tc qdisc replace dev other root fq"});
  ASSERT_TRUE(site.is_looked_at());
  EXPECT_FALSE(site.is_paced());
  EXPECT_TRUE(ok(site.cluster.a.cni("CHECK", site.pod, site.conf)));
  site.node().must_run({"tc", "qdisc", "replace", "dev", "eth0", "root", "fq"});
  ASSERT_TRUE(site.becomes_paced(true)) << site.cluster.daemon_a->err();
  EXPECT_TRUE(ok(site.cluster.a.cni("CHECK", site.pod, site.conf)));

  site.node().must_run({"tc", "qdisc", "del", "dev", "eth0", "root"});
  ASSERT_TRUE(site.becomes_paced(false)) << site.cluster.daemon_a->err();
  const ExitCounts before = site.node().counters();
  const double rate = tcp_rate(site.pod.netns, site.far().netns, site.far().address, 1);

  EXPECT_NEAR(rate, kAsked, kTolerance * kAsked);
  const ExitCounts after = site.node().counters();
  EXPECT_EQ(grown(before, after, KUBECNI_FAST_TO_NODE), 0u) << growth(before, after);
  EXPECT_TRUE(must(site.node().dataplane().pacing_devices.entries()).empty());
}

TEST_F(Paced, ANodeBehindADeviceWithoutFqEndsItAtOnce) {
  Site site({"", "direct", 1, AF_INET}, "fq");
  ASSERT_TRUE(site.becomes_paced(true)) << site.cluster.daemon_a->err();
  site.node().must_run({"sh", "-ec",
                        "ip link add other type dummy; ip link set other up;"
                        "ip addr add 198.51.100.1/24 dev other"});
  ASSERT_TRUE(site.is_paced()) << "nothing leads there yet";

  auto nodes = site.cluster.nodes();
  nodes.push_back(make_node("node-c", "198.51.100.2", "10.200.3.0/24"));
  site.cluster.write_nodes(nodes);

  EXPECT_TRUE(site.becomes_paced(false)) << site.cluster.daemon_a->err();
  EXPECT_TRUE(knows_cidr(site.node(), "10.200.3.0/24"));
  site.cluster.write_nodes(site.cluster.nodes());
  EXPECT_TRUE(site.becomes_paced(true)) << site.cluster.daemon_a->err();
}

TEST_F(Paced, WhatIsRemovedFromTheMapsComesBack) {
  Site site({"", "direct", 1, AF_INET}, "fq");
  ASSERT_TRUE(site.becomes_paced(true)) << site.cluster.daemon_a->err();
  auto dataplane = site.node().dataplane();
  PacerMap& pacers = dataplane.pods.endpoints.pacers();
  const auto ifindex = must(pacers.entries()).at(0).first;

  must(pacers.erase(ifindex));
  for (const auto& [device, value] : must(dataplane.pacing_devices.entries()))
    must(dataplane.pacing_devices.erase(device));

  EXPECT_TRUE(eventually(
      [&] {
        return must(pacers.find(ifindex)) && !must(dataplane.pacing_devices.entries()).empty();
      },
      kPatience));
}

TEST_F(Paced, NothingStaysOfAPodThatIsGone) {
  Site site({"", "direct", 1, AF_INET}, "fq");
  ASSERT_TRUE(site.becomes_paced(true)) << site.cluster.daemon_a->err();

  EXPECT_TRUE(ok(site.cluster.a.cni("DEL", site.pod)));

  auto dataplane = site.node().dataplane();
  EXPECT_TRUE(must(dataplane.pods.endpoints.pacers().entries()).empty());
  EXPECT_TRUE(eventually(
      [&] {
        return must(dataplane.pacing_devices.entries()).empty() &&
               must(dataplane.node_config.read()).has_pacers == 0;
      },
      kPatience));
}

}  // namespace
}  // namespace kubecni::test
