// Two pods of one node and the node itself reach each other, on either path.

#include "expect.hpp"
#include "support/traffic.hpp"

#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace kubecni::test {
namespace {

class SameNode : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] bool is_ebpf() const { return GetParam() != "bridge"; }

  Node node{"node", "10.200.0.0/24", GetParam()};
  Pod one = node.add_pod("one");
  Pod two = node.add_pod("two");
};

/// Sends `traffic` and expects that eBPF carried all of it between the pods, unless there is no
/// eBPF.
template <typename Traffic>
void expect_on_own_path(const Node& node, bool is_ebpf, unsigned packets, Traffic traffic) {
  const auto before = is_ebpf ? node.counters() : ExitCounts{};

  traffic();

  if (!is_ebpf) {
    EXPECT_FALSE(std::filesystem::exists(node.bpffs()));
    return;
  }
  const auto after = node.counters();
  EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), packets) << growth(before, after);
  // Only ARP came by the kernel.
  EXPECT_EQ(grown(before, after, KUBECNI_PASS_KERNEL_FLOW), 0u) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
}

TEST_P(SameNode, PodsPingEachOther) {
  expect_on_own_path(node, is_ebpf(), 4, [&] {
    EXPECT_TRUE(ok(ping(one.netns, two.address)));
    EXPECT_TRUE(ok(ping(two.netns, one.address)));
  });
}

TEST_P(SameNode, PodsExchangeDatagrams) {
  expect_on_own_path(node, is_ebpf(), 20, [&] {
    EXPECT_TRUE(ok(udp_echo(one.netns, two.netns, two.address)));
    EXPECT_TRUE(ok(udp_echo(two.netns, one.netns, one.address)));
  });
}

TEST_P(SameNode, PodsTransferByTcpWithEachByteRight) {
  expect_on_own_path(node, is_ebpf(), 100, [&] {
    EXPECT_TRUE(ok(tcp_transfer(one.netns, two.netns, two.address, 8 << 20)));
    EXPECT_TRUE(ok(tcp_transfer(two.netns, one.netns, one.address, 8 << 20)));
  });
}

TEST_P(SameNode, PodReachesItself) {
  EXPECT_TRUE(ok(ping(one.netns, one.address)));
  EXPECT_TRUE(ok(tcp_transfer(one.netns, one.netns, one.address)));
}

TEST_P(SameNode, PodReachesItsGateway) {
  EXPECT_TRUE(ok(ping(one.netns, node.gateway())));
  EXPECT_TRUE(ok(udp_echo(one.netns, node.netns, node.gateway())));
  EXPECT_TRUE(ok(tcp_transfer(one.netns, node.netns, node.gateway())));
}

TEST_P(SameNode, NodeReachesItsPods) {
  EXPECT_TRUE(ok(ping(node.netns, one.address)));
  EXPECT_TRUE(ok(udp_echo(node.netns, two.netns, two.address)));
  EXPECT_TRUE(ok(tcp_transfer(node.netns, two.netns, two.address)));
}

TEST_P(SameNode, AddressNobodyHasIsUnreachable) {
  EXPECT_FALSE(
      ping(one.netns, IpAddr::v4({10, 200, 0, 77}), std::nullopt, std::chrono::milliseconds(200)));
}

INSTANTIATE_TEST_SUITE_P(Path, SameNode, testing::Values("ebpf", "bridge", "auto"),
                         [](const auto& tested) { return tested.param; });

class Spoofing : public testing::Test {
 protected:
  Spoofing() {
    // Neighbours are known, so no ARP comes before the tested packets.
    must(ping(bad.netns, victim.address));
  }

  /// Packets of a pod that must not arrive.
  void expect_dropped(kubecni_exit_reason reason, std::optional<IpAddr> source = std::nullopt) {
    const auto before = node.counters();

    EXPECT_FALSE(ping(bad.netns, victim.address, source, std::chrono::milliseconds(300)));

    const auto after = node.counters();
    EXPECT_GE(grown(before, after, reason), 1u) << growth(before, after);
    EXPECT_EQ(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 0u) << growth(before, after);
    EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod bad = node.add_pod("bad");
  Pod victim = node.add_pod("victim");
};

TEST_F(Spoofing, SenderAddressOfAnotherIsDropped) {
  const std::string other = "10.200.0.99";
  Node::must_run_in(bad.netns, {"ip", "addr", "add", other + "/32", "dev", "eth0"});

  expect_dropped(KUBECNI_DROP_SPOOFED_IP, IpAddr::parse(other));
}

TEST_F(Spoofing, SenderMacOfAnotherIsDropped) {
  const auto mac = MacAddr::derived_from(victim.address).str();
  Node::must_run_in(bad.netns, {"ip", "link", "set", "eth0", "address", "0a:58:0a:c8:00:63"});
  Node::must_run_in(bad.netns, {"ip", "neigh", "replace", victim.address.str(), "lladdr", mac,
                                "nud", "permanent", "dev", "eth0"});

  expect_dropped(KUBECNI_DROP_SPOOFED_MAC);
}

/// A UDP datagram from `from` to `to` in a frame with the VLAN tag 5.
std::vector<std::uint8_t> tagged_frame(const Pod& from, const Pod& to) {
  std::vector<std::uint8_t> frame;
  const auto append = [&](const std::uint8_t* bytes, std::size_t size) {
    frame.insert(frame.end(), bytes, bytes + size);
  };
  append(MacAddr::derived_from(to.address).bytes.data(), 6);
  append(MacAddr::derived_from(from.address).bytes.data(), 6);
  const std::uint8_t until_addresses[] = {0x81, 0x00, 0,  5,           0x08, 0x00,  // tag, IPv4
                                          0x45, 0,    0,  28,          0,    0,
                                          0,    0,    64, IPPROTO_UDP, 0,    0};
  append(until_addresses, sizeof(until_addresses));
  append(from.address.data(), 4);
  append(to.address.data(), 4);
  const std::uint8_t udp[] = {0x10, 0, 0x10, 0, 0, 8, 0, 0};
  append(udp, sizeof(udp));
  return frame;
}

TEST_F(Spoofing, VlanTagIsNotCarriedOverEbpf) {
  const auto frame = tagged_frame(bad, victim);
  const auto before = node.counters();

  bad.netns.enter([&] {
    const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW, 0));
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
    ASSERT_EQ(::sendto(socket.get(), frame.data(), frame.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
              static_cast<ssize_t>(frame.size()));
  });

  EXPECT_TRUE(eventually([&] { return grown(before, node.counters(), KUBECNI_DROP_TAGGED) >= 1; }));
  EXPECT_EQ(grown(before, node.counters(), KUBECNI_FAST_TO_LOCAL_POD), 0u);
}

TEST_F(Spoofing, ArpForAnAddressOfAnotherIsDropped) {
  Node::must_run_in(bad.netns, {"ip", "link", "set", "eth0", "address", "0a:58:0a:c8:00:63"});
  Node::must_run_in(bad.netns, {"ip", "neigh", "flush", "dev", "eth0"});

  expect_dropped(KUBECNI_DROP_SPOOFED_ARP);
}

}  // namespace
}  // namespace kubecni::test
