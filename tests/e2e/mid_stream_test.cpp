// The kernel path is always complete: whatever is removed during a TCP connection, the connection
// continues, and no byte is lost.

#include "expect.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "support/traffic.hpp"

#include <filesystem>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBytesPerSecond = 64 << 20;
constexpr std::uint64_t kMidStream = 8 << 20;

class MidStream : public testing::Test {
 protected:
  /// Does `damage` during a transfer, which must complete without errors.
  template <typename Damage>
  void expect_to_survive(Damage damage) {
    TcpTransfer transfer({.client = one.netns,
                          .server = two.netns,
                          .to = two.address,
                          .bytes = TcpTransfer::kUntilFinish,
                          .bytes_per_second = kBytesPerSecond});
    ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > kMidStream; }));

    damage();

    EXPECT_TRUE(ok(transfer.finish()));
    EXPECT_TRUE(ok(ping(one.netns, two.address)));
  }

  [[nodiscard]] Device host_end(const Pod& pod) const {
    auto netlink = must(NetlinkSocket::open_in(node.netns.fd()));
    const auto host = must(find_link(netlink, node.attachment(pod).port.host_ifname)).value();
    return {host.ifindex, host.name};
  }

  void detach(const Pod& pod) const {
    const Device host = host_end(pod);
    node.netns.enter([&] {
      for (const Program& hook : programs_on(KUBECNI_ON_POD))
        must(kubecni::detach(PinPaths(node.bpffs()).links, hook, host));
    });
  }

  void attach(const Pod& pod) const {
    const Device host = host_end(pod);
    node.netns.enter([&] { must(node.dataplane().pods.attach(host)); });
  }

  void empty_maps() {
    auto dataplane = node.dataplane();
    for (const auto& [key, value] : must(dataplane.pods.endpoints.endpoints().entries()))
      must(dataplane.pods.endpoints.endpoints().erase(key));
    for (const auto& [key, value] : must(dataplane.pods.endpoints.pod_ifaces().entries()))
      must(dataplane.pods.endpoints.pod_ifaces().erase(key));
    for (const auto& [key, value] : must(dataplane.node_cidrs.entries()))
      must(dataplane.node_cidrs.erase(key));
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod one = node.add_pod("one");
  Pod two = node.add_pod("two");
};

TEST_F(MidStream, AllProgramsDetachedAndAllMapsEmptied) {
  expect_to_survive([&] {
    for (const Pod* pod : {&one, &two}) detach(*pod);
    empty_maps();
  });
}

TEST_F(MidStream, AllMapsEmptiedUnderAttachedPrograms) {
  expect_to_survive([&] { empty_maps(); });

  EXPECT_GT(node.counters()[KUBECNI_PASS_UNKNOWN_SENDER].packets, 0u);
}

TEST_F(MidStream, AllPinsDeleted) {
  expect_to_survive([&] { fs::remove_all(node.bpffs()); });
}

TEST_F(MidStream, OneSideDetached) {
  expect_to_survive([&] { detach(two); });
}

TEST_F(MidStream, ProgramsDetachedAndAttachedManyTimes) {
  expect_to_survive([&] {
    for (int i = 0; i < 5; ++i) {
      for (const Pod* pod : {&one, &two}) detach(*pod);
      for (const Pod* pod : {&one, &two}) attach(*pod);
    }
  });
}

TEST_F(MidStream, FlowThatBeganOnTheKernelPathComesToEbpf) {
  // Conntrack knows the flow, as on a node with kube-proxy.
  node.set_sysctl("net/bridge/bridge-nf-call-iptables", "1");
  node.set_sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "1");
  node.must_run({"nft",
                 "table ip t { chain f { type filter hook forward priority 0; "
                 "ct state invalid counter drop; }; }"});
  for (const Pod* pod : {&one, &two}) detach(*pod);
  const auto before = node.counters();

  expect_to_survive([&] {
    for (const Pod* pod : {&one, &two}) attach(*pod);
  });

  const auto after = node.counters();
  EXPECT_GT(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 100u) << growth(before, after);
}

TEST_F(MidStream, StrictConntrackSeesTheFlowOnlyHalfWay) {
  // As on a node with kube-proxy: bridged packets pass netfilter, which drops what is INVALID to
  // conntrack. So conntrack must be liberal about TCP windows.
  node.set_sysctl("net/bridge/bridge-nf-call-iptables", "1");
  node.set_sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "1");
  node.must_run({"nft",
                 "table ip t { chain f { type filter hook forward priority 0; "
                 "ct state invalid counter drop; }; }"});

  expect_to_survive([&] {
    for (const Pod* pod : {&one, &two}) detach(*pod);
  });
}

}  // namespace
}  // namespace kubecni::test
