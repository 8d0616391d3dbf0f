// The programs make the outer header of the tunnel themselves, where the daemon allows it and the
// kernel has a route.
#include "fixture.hpp"
#include "support/process.hpp"

#include <netinet/in.h>

#include <cstring>
#include <set>
#include <span>
#include <string>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kPort = 8472;
constexpr std::size_t kEth = 14, kUdp = 8, kVxlan = 8;

std::uint16_t get16(const Frame& frame, std::size_t at) {
  return static_cast<std::uint16_t>(frame.at(at) << 8 | frame.at(at + 1));
}

/// By the families of the pods and of the nodes.
class Encapsulation : public BpfTest,
                      public testing::WithParamInterface<std::tuple<Family, Family>> {
 protected:
  void SetUp() override {
    BpfTest::SetUp();
    if (IsSkipped()) return;
    configure("1", "0");
    for (const Family& family : {kIpv4, kIpv6}) {
      const std::string prefix = family.af == AF_INET ? "/32" : "/128 nodad";
      sh("ip addr replace " + std::string(family.outside) + prefix + " dev nic");
      sh("ip addr replace " + std::string(family.no_pod) + prefix + " dev tunnel");
    }
    sh("ip route replace " + far().str() + " dev nic");
    let_leave_by(nic().ifindex);
  }
  void TearDown() override {
    if (IsSkipped()) return;
    sh("ip addr flush dev nic; ip addr flush dev tunnel");
    sh("ip route flush " + far().str());
    configure("0", "1");
  }
  /// IPv6 of the other devices would send packets of its own.
  static void configure(const std::string& forwards, const std::string& disables_ipv6) {
    for (const std::string device : {"nic", "tunnel"}) {
      sh("sysctl -qw net.ipv6.conf." + device + ".disable_ipv6=" + disables_ipv6);
      sh("sysctl -qw net.ipv6.conf." + device + ".forwarding=" + forwards);
    }
    sh("sysctl -qw net.ipv4.conf.tunnel.forwarding=" + forwards);
  }
  static IpAddr addr(const std::string& text) { return IpAddr::parse(text).value(); }
  static void sh(const std::string& command) { must_run({.argv = {"sh", "-ec", command}}); }

  static const Family& pods() { return std::get<0>(GetParam()); }
  static const Family& nodes() { return std::get<1>(GetParam()); }
  static bool over_v4() { return nodes().af == AF_INET; }
  static std::size_t outer_ip() { return over_v4() ? 20 : 40; }
  static IpAddr far() { return addr(nodes().tunnel_node); }
  static IpAddr own() { return addr(nodes().outside); }

  void let_leave_by(unsigned ifindex) {
    const IpNet cidr = IpNet::parse(pods().tunnel_cidr).value();
    auto node = must(dataplane().node_cidrs.find(cidr)).value();
    node.next_hop_family = static_cast<__u16>(nodes().af);
    std::memset(node.next_hop, 0, sizeof(node.next_hop));
    std::copy_n(far().data(), far().bytes(), node.next_hop);
    std::copy_n(own().data(), own().bytes(), node.own_endpoint);
    node.mtu = kNicMtu - 70;
    node.tunnel_port[0] = kPort >> 8;
    node.tunnel_port[1] = kPort & 0xff;
    node.outer_ifindex = ifindex;
    must(dataplane().node_cidrs.set(cidr, node));
  }

  static Frame sent(IpPacket packet = {}) {
    packet.family = pods().af;
    packet.dst = pods().tunnel_pod;
    return frame_at(kFromPod, packet);
  }
  /// The frame that has to arrive at the other end of the tunnel.
  static Frame inner(const Frame& frame) {
    return with_macs(one_hop_older(frame), kRemoteTunnelMac, kTunnelMac);
  }
  /// What follows the outer header.
  static Frame unwrapped(const Frame& frame) {
    return {frame.begin() + static_cast<std::ptrdiff_t>(kEth + outer_ip() + kUdp + kVxlan),
            frame.end()};
  }
  static IpAddr outer_address(const Frame& frame, bool is_source) {
    const std::size_t at = kEth + (over_v4() ? (is_source ? 12 : 16) : (is_source ? 8 : 24));
    std::uint8_t bytes[16];
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), over_v4() ? 4 : 16, bytes);
    return over_v4() ? IpAddr::v4({bytes[0], bytes[1], bytes[2], bytes[3]}) : IpAddr::v6(bytes);
  }
  static std::uint8_t outer_tos(const Frame& frame) {
    return over_v4() ? frame.at(kEth + 1)
                     : static_cast<std::uint8_t>(get16(frame, kEth) >> 4 & 0xff);
  }
  static Frame with_tos(Frame frame, std::uint8_t tos) {
    if (pods().af == AF_INET6) {
      frame.at(kEth) = static_cast<std::uint8_t>(0x60 | tos >> 4);
      frame.at(kEth + 1) = static_cast<std::uint8_t>(tos << 4);
      return frame;
    }
    frame.at(kEth + 1) = tos;
    set_ip_checksum(frame, right_ip_checksum(frame));
    return frame;
  }
};

TEST_P(Encapsulation, PutsTheHeaderOfRfc7348InFront) {
  for (const auto protocol : kProtocols) {
    SCOPED_TRACE(int{protocol});
    const Frame in = sent({.protocol = protocol});
    for (int time = 0; time < 2; ++time) {  // decided, and known
      const Passage passage = run(kFromPod, in);

      const Frame& out = passage.out;
      EXPECT_EQ(passage.reason, KUBECNI_FAST_TO_TUNNEL);
      EXPECT_EQ(passage.mark, KUBECNI_MARK_FAST);
      ASSERT_EQ(out.size(), in.size() + outer_ip() + kUdp + kVxlan + kEth);
      EXPECT_EQ(unwrapped(out), inner(in));
      EXPECT_EQ(outer_address(out, true), own());
      EXPECT_EQ(outer_address(out, false), far());
      const std::size_t udp = kEth + outer_ip();
      EXPECT_EQ(get16(out, udp + 2), kPort);
      EXPECT_EQ(get16(out, udp + 4), out.size() - udp);
      EXPECT_EQ(get16(out, udp + 6), 0u) << "no checksum";
      EXPECT_EQ(get16(out, udp + 8), 0x0800u) << "the flag of a VNI";
      EXPECT_EQ(get16(out, udp + 12) << 8 | out.at(udp + 14), int{kVni});
      EXPECT_EQ(out.at(kEth + (over_v4() ? 8 : 7)), 64u);
      EXPECT_EQ(out.at(kEth + (over_v4() ? 9 : 6)), IPPROTO_UDP);
      EXPECT_EQ(get16(out, kEth + (over_v4() ? 2 : 4)), out.size() - (over_v4() ? kEth : udp));
      if (over_v4()) {
        EXPECT_EQ(internet_checksum(std::span(out).subspan(kEth, outer_ip())), 0u);
      }
    }
  }
}

TEST_P(Encapsulation, SourcePortIsThatOfTheFlow) {
  const auto port_of = [&](std::uint16_t src_port) {
    return get16(run(kFromPod, sent({.src_port = src_port})).out, kEth + outer_ip());
  };
  std::set<std::uint16_t> ports;
  for (std::uint16_t src_port = 40000; src_port < 40010; ++src_port) {
    const auto port = port_of(src_port);
    EXPECT_GE(port, 32768u);
    EXPECT_EQ(port_of(src_port), port);
    ports.insert(port);
  }
  EXPECT_GT(ports.size(), 5u) << "routers could not tell the flows apart";
}

TEST_P(Encapsulation, OuterHeaderHasTheCongestionBitsOfTheInnerOne) {
  for (const auto& [inner_tos, expected] :
       {std::pair{0x00, 0x00}, {0xb8, 0x00}, {0x01, 0x01}, {0xba, 0x02}, {0x03, 0x02}}) {
    const Frame in = with_tos(sent(), static_cast<std::uint8_t>(inner_tos));

    const Frame out = run(kFromPod, in).out;

    EXPECT_EQ(outer_tos(out), expected) << inner_tos;
    EXPECT_EQ(unwrapped(out), inner(in)) << "the inner header stays";
  }
}

TEST_P(Encapsulation, IsTheTunnelDevicesWhereTheDaemonOrIpsecOrTheRoutesSaySo) {
  const auto expect_device = [&] {
    for (int time = 0; time < 2; ++time)
      EXPECT_THAT(run(kFromPod, sent()), Redirected(KUBECNI_FAST_TO_TUNNEL, inner(sent())));
  };
  let_leave_by(0);
  expect_device();

  let_leave_by(nic().ifindex);
  auto config = must(dataplane().node_config.read());
  config.may_bypass_ipsec = 0;
  must(dataplane().node_config.set(config));
  expect_device();

  config.may_bypass_ipsec = 1;
  must(dataplane().node_config.set(config));
  EXPECT_NE(run(kFromPod, sent()).out.size(), sent().size());
  sh("ip route replace " + far().str() + " dev nic mtu lock 1400");
  let_leave_by(nic().ifindex);  // the daemon's next look
  expect_device();
  sh("ip route replace " + far().str() + " dev tunnel");
  let_leave_by(nic().ifindex);
  expect_device();
  sh("ip route del " + far().str() + " dev tunnel");
  let_leave_by(nic().ifindex);
  expect_device();
}

INSTANTIATE_TEST_SUITE_P(Of, Encapsulation,
                         testing::Combine(testing::Values(kIpv4, kIpv6),
                                          testing::Values(kIpv4, kIpv6)),
                         [](const auto& tested) {
                           return std::get<0>(tested.param).name + std::string("Over") +
                                  std::get<1>(tested.param).name;
                         });

}  // namespace
}  // namespace kubecni::test
