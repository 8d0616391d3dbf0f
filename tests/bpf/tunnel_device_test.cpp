// from_pod and from_tunnel at a real VXLAN device. Test runs have no tunnel key; here the key
// becomes an outer header, or comes from one.
#include "fixture.hpp"
#include "net/link.hpp"
#include "net/sysctl.hpp"
#include "support/frame_socket.hpp"

#include <linux/if_ether.h>

#include <algorithm>
#include <array>
#include <span>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr const char* kUnderlayMac = "00:00:5e:00:53:06";
constexpr std::uint16_t kPort = 4789;
constexpr std::size_t kVxlanHeader = 8;

struct Outer {
  const Family& family;
  const char* own;
};
const Outer kOuter4{kIpv4, "203.0.113.1"};
const Outer kOuter6{kIpv6, "2001:db8:ffff::1"};

class TunnelDevice : public BpfTest, public testing::WithParamInterface<std::tuple<Outer, Family>> {
 protected:
  void SetUp() override {
    BpfTest::SetUp();
    if (IsSkipped()) return;
    const Outcome made = kubecni::test::run(
        {.argv = {"ip", "link", "add", "vx", "address", kTunnelMac, "type", "vxlan", "external",
                  "dstport", std::to_string(kPort), "udp6zerocsumrx"}});
    if (made.status != 0) GTEST_SKIP() << "this kernel has no VXLAN: " << made.err;
    auto netlink = must(NetlinkSocket::open());
    vx_ = {.ifindex = must(find_link(netlink, "vx")).value().ifindex, .name = "vx"};
    under_ = add_device("under", MacAddr::parse(kUnderlayMac).value());
    must(ensure_sysctl("net/ipv6/conf/under/disable_ipv6", "0"));
    for (const Outer& at : {kOuter4, kOuter6}) {
      const std::string prefix = at.family.af == AF_INET ? "/24" : "/64";
      must_run({.argv = {"ip", "address", "add", at.own + prefix, "dev", "under", "nodad"}});
      must_run({.argv = {"ip", "neigh", "add", at.family.tunnel_node, "lladdr", kRemoteNodeMac,
                         "dev", "under"}});
    }
    must_run({.argv = {"ip", "link", "set", "vx", "up"}});
    must(dataplane().programs.attach(KUBECNI_ON_TUNNEL, vx_));
  }
  void TearDown() override {
    if (vx_.ifindex != 0)
      must(detach_programs(PrivateNamespaces::enter().bpffs(), KUBECNI_ON_TUNNEL, vx_));
    for (const Device& device : {vx_, under_})
      if (device.ifindex != 0) remove_device(device);
  }

  static const Outer& outer() { return std::get<Outer>(GetParam()); }
  static const Family& inner() { return std::get<Family>(GetParam()); }
  static std::size_t outer_headers() { return ETH_HLEN + outer().family.ip_header + 8; }

  /// `frame` as it comes from the node at `source`.
  static Frame in_tunnel(const Frame& frame, const std::string& source, std::uint32_t vni) {
    Frame whole = ip_packet({.family = outer().family.af,
                             .dst_mac = kUnderlayMac,
                             .src_mac = kRemoteNodeMac,
                             .src = source,
                             .dst = outer().own,
                             .dst_port = kPort,
                             .payload_bytes = kVxlanHeader + frame.size()});
    const auto payload = std::span(whole).subspan(outer_headers());
    const std::array<std::uint8_t, kVxlanHeader> header{
        8, 0, 0, 0, std::uint8_t(vni >> 16), std::uint8_t(vni >> 8), std::uint8_t(vni), 0};
    std::ranges::copy(header, payload.begin());
    std::ranges::copy(frame, payload.begin() + kVxlanHeader);
    std::fill_n(whole.begin() + static_cast<std::ptrdiff_t>(outer_headers()) - 2, 2, 0);
    return whole;
  }

  /// The tunnel delivers a packet of another node's pod; it is counted as `reason`.
  void expect_received(const std::string& source, std::uint32_t vni, kubecni_exit_reason reason,
                       IpPacket packet = {}) {
    packet.family = inner().af;
    const auto counted = [&] { return exit_counts()[reason].packets; };
    const auto before = counted();
    FrameSocket("under_peer").send(in_tunnel(frame_at(kFromTunnel, packet), source, vni));
    EXPECT_TRUE(eventually([&] { return counted() == before + 1; })) << kExitReasons[reason].name;
  }
  void know_peers() {
    set_peer(outer().family.tunnel_node, kVni);
    set_peer(outer().family.none, 0);
  }

  Device vx_, under_;
};

TEST_P(TunnelDevice, PacketOfAPodComesOutUnderTheNodesHeader) {
  const Device pod = add_device("vxpod");
  must(dataplane().pods.endpoints.add({.host = pod,
                                       .network = kNetwork,
                                       .addresses = {IpAddr::parse(inner().pod_a).value()},
                                       .pod_mac = MacAddr::parse(kPodAMac).value(),
                                       .gateway_mac = MacAddr::parse(kGatewayMac).value()}));
  must(dataplane().pods.attach(pod));
  const IpNet cidr = IpNet::parse(inner().tunnel_cidr).value();
  const IpAddr endpoint = IpAddr::parse(outer().family.tunnel_node).value();
  kubecni_node node = must(dataplane().node_cidrs.entries()).at(cidr);
  node.egress_ifindex = vx_.ifindex;
  node.next_hop_family = static_cast<__u16>(endpoint.family());
  std::copy_n(endpoint.data(), endpoint.bytes(), node.next_hop);
  must(dataplane().node_cidrs.set(cidr, node));
  const FrameSocket wire("under_peer");
  const Frame sent = frame_at(kFromPod, {.family = inner().af, .dst = inner().tunnel_pod});
  const auto before = exit_counts();

  FrameSocket("vxpod_peer").send(sent);
  const Frame seen = wire.receive([&](const Frame& frame) {
    const std::size_t port_at = outer_headers() - 6;
    return frame.size() > outer_headers() && frame[port_at] == kPort >> 8 &&
           frame[port_at + 1] == (kPort & 0xff);
  });

  const Frame wanted = in_tunnel(with_macs(one_hop_older(sent), kRemoteTunnelMac, kTunnelMac),
                                 outer().family.tunnel_node, kVni);
  ASSERT_EQ(seen.size(), wanted.size());
  const auto part = [](const Frame& frame, std::size_t at, std::size_t size) {
    return Frame(frame.begin() + static_cast<std::ptrdiff_t>(at),
                 frame.begin() + static_cast<std::ptrdiff_t>(at + size));
  };
  const std::size_t address = outer().family.af == AF_INET ? 4 : 16;
  const std::size_t src_at = outer_headers() - 8 - 2 * address;
  EXPECT_EQ(part(seen, 0, 6), part(with_macs(wanted, kRemoteNodeMac, ""), 0, 6));
  EXPECT_EQ(part(seen, src_at, address), part(wanted, src_at + address, address))
      << "the source is the kernel's choice";
  EXPECT_EQ(part(seen, src_at + address, address), part(wanted, src_at, address));
  EXPECT_EQ(seen[ETH_HLEN + (address == 4 ? 8 : 7)], 64) << "TTL";
  const std::size_t checksum_at = outer_headers() - 2;
  EXPECT_EQ(part(seen, checksum_at, seen.size() - checksum_at),
            part(wanted, checksum_at, wanted.size() - checksum_at))
      << "no checksum, the VNI, and the packet one hop older";
  const auto after = exit_counts();
  for (const auto reason : {KUBECNI_FAST_TO_TUNNEL, KUBECNI_FAST_SENT_TO_TUNNEL})
    EXPECT_EQ(after[reason].packets - before[reason].packets, 1u) << kExitReasons[reason].name;
  remove_device(pod);
}

TEST_P(TunnelDevice, PacketOfANodeOfTheClusterIsDelivered) {
  know_peers();

  expect_received(outer().family.tunnel_node, kVni, KUBECNI_FAST_FROM_TUNNEL);
}

TEST_P(TunnelDevice, PacketOfAnybodyElseIsDroppedWhateverItIs) {
  know_peers();

  for (const IpPacket& packet : {IpPacket{}, {.dst = inner().outside}, {.src = inner().outside}})
    expect_received(outer().family.remote_node, kVni, KUBECNI_DROP_TUNNEL_SOURCE, packet);
}

TEST_P(TunnelDevice, PacketOfAnotherNetworkIsDropped) {
  know_peers();

  for (const std::uint32_t vni : {0u, kVni + 1, 0xffffffu})
    expect_received(outer().family.tunnel_node, vni, KUBECNI_DROP_TUNNEL_ID);
}

TEST_P(TunnelDevice, ListThatIsNotCompleteRefusesNobody) {
  expect_received(outer().family.remote_node, kVni, KUBECNI_PASS_NO_PEERS);
  set_peer(outer().family.tunnel_node, kVni);
  expect_received(outer().family.remote_node, kVni, KUBECNI_PASS_NO_PEERS);
  expect_received(outer().family.tunnel_node, kVni + 1, KUBECNI_PASS_NO_PEERS);
  expect_received(outer().family.tunnel_node, kVni, KUBECNI_FAST_FROM_TUNNEL);
}

TEST_P(TunnelDevice, WhatIsNotForAPodIsLeftToTheKernel) {
  know_peers();

  const char* node = outer().family.tunnel_node;
  expect_received(node, kVni, KUBECNI_PASS_NO_ENDPOINT, {.dst = inner().outside});
  expect_received(node, kVni, KUBECNI_PASS_NOT_FROM_POD, {.src = inner().outside});
  expect_received(node, kVni, KUBECNI_PASS_NOT_TO_HOST, {.dst_mac = kForeignMac});
  expect_received(node, kVni, KUBECNI_PASS_TTL_EXPIRED, {.ttl = 1});
}

std::string name_of(const testing::TestParamInfo<std::tuple<Outer, Family>>& info) {
  return std::string(std::get<Family>(info.param).name) + "_in_" +
         std::get<Outer>(info.param).family.name;
}
INSTANTIATE_TEST_SUITE_P(, TunnelDevice,
                         testing::Combine(testing::Values(kOuter4, kOuter6),
                                          testing::Values(kIpv4, kIpv6)),
                         name_of);

}  // namespace
}  // namespace kubecni::test
