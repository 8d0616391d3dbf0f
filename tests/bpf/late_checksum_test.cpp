// from_pod and checksums that the kernel writes when a packet leaves. Test runs have none; a packet
// socket asks for them here, wherever a hostile pod could want them.
#include "fixture.hpp"
#include "net/sysctl.hpp"
#include "support/frame_socket.hpp"

#include <linux/if_ether.h>

#include <vector>

namespace kubecni::test {
namespace {

constexpr int kLeastStart = 20;  // the kernel refuses less

class LateChecksum : public BothFamilies {
 protected:
  void SetUp() override {
    BpfTest::SetUp();
    if (IsSkipped()) return;
    if (!knows_late_checksums()) GTEST_SKIP() << "this kernel has no bpf_cast_to_kern_ctx (6.2)";
    pod_ = add_device("latepod");
    must(dataplane().pods.endpoints.add({.host = pod_,
                                         .network = kNetwork,
                                         .addresses = {IpAddr::parse(family().pod_a).value()},
                                         .pod_mac = MacAddr::parse(kPodAMac).value(),
                                         .gateway_mac = MacAddr::parse(kGatewayMac).value()}));
    must(dataplane().pods.attach(pod_));
  }
  void TearDown() override {
    if (pod_.ifindex != 0) remove_device(pod_);
  }
  static bool knows_late_checksums() {
    return kubecni::test::run({.argv = {"grep", "-qw", "bpf_cast_to_kern_ctx", "/proc/kallsyms"}})
               .status == 0;
  }

  static int at_transport(const IpPacket& packet) {
    return static_cast<int>(ETH_HLEN + family().ip_header + packet.option_bytes +
                            8 * packet.extension_headers.size());
  }
  /// Whether from_pod drops the packet if a checksum is to be written at `at`.
  [[nodiscard]] bool is_dropped(IpPacket packet, int at) const {
    packet.family = family().af;
    return is_dropped(frame_at(kFromPod, packet), at);
  }
  [[nodiscard]] bool is_dropped(const Frame& frame, int at) const {
    const auto seen = [&](const ExitCounts& counts) {
      std::uint64_t packets = 0;
      for (std::size_t reason = 0; reason < kExitReasons.size(); ++reason)
        if ((kExitReasons[reason].programs & kFromPod.bit) != 0) packets += counts[reason].packets;
      return packets;
    };
    const ExitCounts before = exit_counts();
    FrameSocket("latepod_peer")
        .send_with_late_checksum(frame, kLeastStart, static_cast<std::uint16_t>(at - kLeastStart));
    EXPECT_TRUE(eventually([&] { return seen(exit_counts()) > seen(before); }));
    return drops(before, exit_counts()) == "DROP_MISPLACED_CHECKSUM+1 ";
  }

  Device pod_;
};
KUBECNI_FOR_BOTH_FAMILIES(LateChecksum);

TEST_P(LateChecksum, WhereTheProtocolHasItsOwnPasses) {
  const IpPacket tcp{.protocol = IPPROTO_TCP};
  const IpPacket udp{.protocol = IPPROTO_UDP};

  EXPECT_FALSE(is_dropped(tcp, at_transport(tcp) + 16));
  EXPECT_FALSE(is_dropped(udp, at_transport(udp) + 6));
}

TEST_P(LateChecksum, OfAPacketInATunnelOfThePodPasses) {
  const IpPacket udp{.protocol = IPPROTO_UDP, .payload_bytes = 100};

  EXPECT_FALSE(is_dropped(udp, at_transport(udp) + 8 + 8 + ETH_HLEN + 20 + 16));
}

TEST_P(LateChecksum, OverAnyByteOfTheHeadersIsDropped) {
  for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP}) {
    const IpPacket packet{.protocol = protocol, .payload_bytes = 40};
    const int own = at_transport(packet) + (protocol == IPPROTO_TCP ? 16 : 6);
    for (int at = kLeastStart; at < own; ++at)
      EXPECT_TRUE(is_dropped(packet, at)) << "protocol " << int{protocol} << ", byte " << at;
  }
}

// Their checksums are written at once by whoever sends them, so no honest one is late.
TEST_P(LateChecksum, OfAnEchoIsDropped) {
  const IpPacket echo{.protocol = IPPROTO_ICMP};

  EXPECT_TRUE(is_dropped(echo, at_transport(echo) + 2));
  EXPECT_TRUE(is_dropped(echo, at_transport(echo) + 8));
}

TEST_P(LateChecksum, OverTheHeaderBehindOptionsIsDropped) {
  if (family().af == AF_INET6) {
    const IpPacket echo{.protocol = IPPROTO_ICMP, .extension_headers = {IPPROTO_DSTOPTS}};
    EXPECT_TRUE(is_dropped(echo, at_transport(echo) + 8));
    const IpPacket behind{.protocol = IPPROTO_UDP, .extension_headers = {IPPROTO_DSTOPTS}};
    EXPECT_TRUE(is_dropped(behind, at_transport(behind) + 2)) << "its port";
    EXPECT_FALSE(is_dropped(behind, at_transport(behind) + 6));
    return;
  }
  const IpPacket udp{.protocol = IPPROTO_UDP, .option_bytes = 8};
  EXPECT_TRUE(is_dropped(udp, at_transport(udp) + 2));
  EXPECT_FALSE(is_dropped(udp, at_transport(udp) + 6));
}

TEST_P(LateChecksum, OfAFrameThatIsNotIpIsDropped) {
  const Frame arp = arp_packet(
      {.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = kPodA, .target_ip = kPodB});

  EXPECT_TRUE(is_dropped(arp, ETH_HLEN + 14));
}

TEST_P(LateChecksum, IsJudgedInTheMiddleOfAFlow) {
  const IpPacket udp{.dst = family().remote_pod, .protocol = IPPROTO_UDP};
  ASSERT_FALSE(is_dropped(udp, at_transport(udp) + 6));

  EXPECT_TRUE(is_dropped(udp, ETH_HLEN + (family().af == AF_INET ? 12 : 22)));
}

}  // namespace
}  // namespace kubecni::test
