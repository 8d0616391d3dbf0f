// What the network says about packets between pods of two nodes reaches the pod that sent them, on
// either path, beside rules that drop what conntrack calls invalid: that they are too long, and
// that nobody is there.

#include "odd_socket.hpp"
#include "paths.hpp"
#include "support/traffic.hpp"

#include <poll.h>

#include <optional>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kPort = 5311;

void drop_invalid(const Cluster& cluster) {
  for (const Node* node : {&cluster.a, &cluster.b})
    node->must_run({"nft",
                    "table inet strict { chain forward { type filter hook forward"
                    " priority 0; ct state invalid counter drop; }; }"});
}

/// Expects that node-a has counted at least `packets` of the exit during `traffic`, if it has eBPF.
template <typename Traffic>
void expect_exits(const Cluster& cluster, kubecni_exit_reason reason, unsigned packets,
                  Traffic traffic) {
  if (!cluster.a.is_ebpf()) return traffic();
  const ExitCounts before = cluster.a.counters();
  traffic();
  const ExitCounts after = cluster.a.counters();
  EXPECT_GE(grown(before, after, reason), packets) << growth(before, after);
}

using Setting = std::tuple<std::string /*dataplane*/, std::string /*way*/>;

std::string name_of(const testing::TestParamInfo<Setting>& tested) {
  return std::get<0>(tested.param) + "_" + std::get<1>(tested.param);
}

/// A router between the nodes, whose link to node-b has a smaller MTU than the nodes know.
class NarrowRouter : public testing::TestWithParam<Setting> {
 protected:
  static constexpr unsigned kNarrow = 1400;

  NarrowRouter() {
    drop_invalid(cluster);
    Node::must_run_in(cluster.underlay.router,
                      {"ip", "link", "set", "eth1", "mtu", std::to_string(kNarrow)});
    for (const int family : {AF_INET, AF_INET6})
      must(ping(cluster.pod_a->netns, cluster.pod_b->address_of(family)));
  }

  void expect_errors_to_senders_of_datagrams() const {
    for (const int family : {AF_INET, AF_INET6}) {
      SCOPED_TRACE(family);
      const unsigned headers = family == AF_INET ? 28 : 48;
      const OddSocket receiver(b.netns, family, SOCK_DGRAM, 0, kPort);
      const OddSocket sender(a.netns, family, SOCK_DGRAM, 0);
      sender.want_errors();
      expect_exits(cluster, KUBECNI_FAST_TO_NODE, 1, [&] {
        EXPECT_TRUE(ok(sender.send(b.address_of(family), kPort, pattern(1500 - headers))));
      });

      const auto error = sender.next_error();

      ASSERT_TRUE(error) << "the router's error did not arrive";
      EXPECT_EQ(error->code, EMSGSIZE);
      EXPECT_EQ(error->mtu, kNarrow);
      ASSERT_TRUE(ok(sender.send(b.address_of(family), kPort, pattern(kNarrow - headers))));
      EXPECT_EQ(receiver.receive(), pattern(kNarrow - headers));
      // Else the ping fails here already.
      Node::must_run_in(a.netns,
                        {"ip", family == AF_INET ? "-4" : "-6", "route", "flush", "cache"});
      const std::string said =
          run({.argv = {"ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", "-M", "do", "-s",
                        std::to_string(kNarrow + 1 - headers), b.address_of(family).str()},
               .netns_fd = a.netns.fd()})
              .out;
      EXPECT_THAT(said, testing::ContainsRegex("mtu ?= ?" + std::to_string(kNarrow)));
      EXPECT_TRUE(ok(ping(a.netns, b.address_of(family))));
    }
  }

  const bool tunnel = std::get<1>(GetParam()) == "vxlan";
  Cluster cluster{{.dataplane = std::get<0>(GetParam()),
                   .families = Families::kDual,
                   .topology = Topology::kTwoSegments,
                   .routing = {std::get<1>(GetParam())},
                   .router_carries_pods = true}};
  const Pod& a = *cluster.pod_a;
  const Pod& b = *cluster.pod_b;
};

// Through the tunnel, the router cuts the outer packets of IPv4, and says nothing.
TEST_P(NarrowRouter, SaysWhatFits) {
  if (!tunnel) expect_errors_to_senders_of_datagrams();
  for (const int family : {AF_INET, AF_INET6}) {
    SCOPED_TRACE(family);
    // The kernel has to learn it anew, by TCP.
    Node::must_run_in(a.netns, {"ip", family == AF_INET ? "-4" : "-6", "route", "flush", "cache"});
    expect_exits(cluster, path_reasons(tunnel).fast_out, 30, [&] {
      EXPECT_TRUE(ok(tcp_transfer(a.netns, b.netns, b.address_of(family), 4 << 20)));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(By, NarrowRouter,
                         testing::Combine(testing::Values("ebpf", "bridge"),
                                          testing::Values("direct", "vxlan")),
                         name_of);

/// Node-a's NIC, and its router's, carry 9000 bytes from some time on; node-b's never.
class JumboNic : public testing::TestWithParam<Setting> {
 protected:
  JumboNic() {
    drop_invalid(cluster);
    for (const NetNs* netns : {&cluster.underlay.router, &cluster.a.netns})
      Node::must_run_in(*netns, {"ip", "link", "set", "eth0", "mtu", "9000"});
    // The router's port, node-a's, and the segment between them.
    for (const char* part : {"wire-1", "wire-2", "wire"})
      must_run({.argv = {"ip", "link", "set", part, "mtu", "9000"}});
  }
  static unsigned mtu_of(const NetNs& netns, const std::string& link) {
    return nlohmann::json::parse(Node::must_run_in(netns, {"ip", "-j", "link", "show", link}))
        .at(0)
        .at("mtu");
  }

  const bool tunnel = std::get<1>(GetParam()) == "vxlan";
  const unsigned fits = tunnel ? 8950 : 9000;
  Cluster cluster{{.dataplane = std::get<0>(GetParam()),
                   .families = Families::kDual,
                   .topology = Topology::kTwoSegments,
                   .routing = {std::get<1>(GetParam())},
                   .router_carries_pods = true}};
};

TEST_P(JumboNic, NewPodsUseItAndReachOldOnesAndNarrowOnes) {
  std::optional<Pod> pod;
  unsigned number = 0;
  ASSERT_TRUE(eventually([&] {
    pod.emplace(cluster.add_pod(cluster.a, "pod-new" + std::to_string(number++)));
    return mtu_of(pod->netns, "eth0") == fits;
  })) << mtu_of(pod->netns, "eth0");
  EXPECT_EQ(mtu_of(cluster.a.netns, cluster.a.attachment(*pod).port.host_ifname), fits);

  const Pod twin = cluster.add_pod(cluster.a, "pod-twin");
  for (const int family : {AF_INET, AF_INET6}) {
    SCOPED_TRACE(family);
    const std::string size = std::to_string(fits - (family == AF_INET ? 28 : 48));
    Node::must_run_in(pod->netns, {"ping", "-n", "-c", "1", "-W", "3", "-M", "do", "-s", size,
                                   twin.address_of(family).str()});
    for (const Pod* other : {&*cluster.pod_a, &*cluster.pod_b}) {
      EXPECT_TRUE(ok(tcp_transfer(pod->netns, other->netns, other->address_of(family), 4 << 20)));
      EXPECT_TRUE(ok(tcp_transfer(other->netns, pod->netns, pod->address_of(family), 4 << 20)));
    }
  }
  // Cut on the way, or by the sender once it knows. Not with IPv6: "Fragments of IPv6" in
  // docs/limits.md.
  EXPECT_TRUE(eventually([&] {
    const OddSocket receiver(cluster.pod_b->netns, AF_INET, SOCK_DGRAM, 0, kPort);
    const OddSocket sender(pod->netns, AF_INET, SOCK_DGRAM, 0);
    return sender.send(cluster.pod_b->address_of(AF_INET), kPort, pattern(8000)) &&
           receiver.receive(std::chrono::milliseconds(300)) == pattern(8000);
  }));
}

INSTANTIATE_TEST_SUITE_P(By, JumboNic,
                         testing::Combine(testing::Values("ebpf", "bridge"),
                                          testing::Values("direct", "vxlan")),
                         name_of);

/// A node that is switched off. Through the tunnel, the kernel's answer is about the outer packet
/// and ends at the node, on either path.
class DeadNode : public testing::TestWithParam<std::string> {
 protected:
  Cluster cluster{{.dataplane = GetParam(), .families = Families::kDual, .routing = {"direct"}}};
};

TEST_P(DeadNode, ClientsHearThatThereIsNoRouteUntilItComesBack) {
  drop_invalid(cluster);
  must_run({.argv = {"ip", "link", "set", cluster.member(1).port, "down"}});
  for (const int family : {AF_INET, AF_INET6}) {
    SCOPED_TRACE(family);
    cluster.a.must_run({"ip", "neigh", "flush", "dev", "eth0"});
    const UniqueFd client =
        open_socket(cluster.pod_a->netns, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    SocketAddress to(cluster.pod_b->address_of(family), kPort);
    expect_exits(cluster, KUBECNI_PASS_NO_NEIGHBOUR, 1, [&] {
      ::connect(client.get(), to.raw(), to.size());
      // The kernel asks for the neighbour three times, a second apart.
      EXPECT_TRUE(
          ok(wait_ready(client.get(), POLLOUT, Clock::now() + std::chrono::seconds(6), "connect")));
    });

    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    EXPECT_EQ(error, EHOSTUNREACH);
  }

  must_run({.argv = {"ip", "link", "set", cluster.member(1).port, "up"}});
  EXPECT_TRUE(eventually([&] {
    return udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address).has_value();
  }));
  EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address)));
}

INSTANTIATE_TEST_SUITE_P(On, DeadNode, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kubecni::test
