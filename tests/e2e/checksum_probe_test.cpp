// Only the probed node may report that checksums do not arrive.

#include "control/nodes/checksum_probe.hpp"

#include "expect.hpp"
#include "support/capture.hpp"
#include "support/packet.hpp"

#include <linux/if_ether.h>

#include <thread>

namespace kubecni::test {
namespace {

/// A node, and a host on its wire that never answers, and forges errors.
class ProbeTest : public testing::TestWithParam<int> {
 protected:
  ProbeTest() {
    sh(node,
       "ip link add eth0 address 02:00:00:00:00:01 type veth peer name eth0 netns " + world.name());
    sh(node, "ip addr add " + own.str() + (v4 ? "/24" : "/64 nodad") + " dev eth0");
    sh(node, "ip link set eth0 up");
    sh(world, "ip link set eth0 up");
    sh(node, "ip neigh replace " + peer.str() + " lladdr 02:00:00:00:00:02 dev eth0");
  }
  static void sh(const NetNs& netns, const std::string& command) {
    Node::must_run_in(netns, {"sh", "-ec", command});
  }

  /// "Port unreachable" from `from` about a datagram like the probe's.
  [[nodiscard]] Frame forged(const IpAddr& from) const {
    const Frame about = ip_packet({.family = GetParam(),
                                   .src = own.str(),
                                   .dst = peer.str(),
                                   .src_port = 9,
                                   .dst_port = 9,
                                   .payload_bytes = 97});
    Frame body{0, 0, 0, 0};
    for (const std::uint8_t byte : std::span(about).subspan(ETH_HLEN)) body.push_back(byte);
    Frame error = ip_packet({.family = GetParam(),
                             .dst_mac = "02:00:00:00:00:01",
                             .src_mac = "02:00:00:00:00:02",
                             .src = from.str(),
                             .dst = own.str(),
                             .protocol = IPPROTO_ICMP,
                             .icmp_type = std::uint8_t(v4 ? 3 : 1),
                             .icmp_body = body});
    // The code, and the sum that it changes (RFC 1624).
    const std::size_t at = ETH_HLEN + (v4 ? 20 : 40);
    error.at(at + 1) = v4 ? 3 : 4;
    const auto before = static_cast<std::uint16_t>(error.at(at + 2) << 8 | error.at(at + 3));
    std::uint32_t sum = static_cast<std::uint16_t>(~before) + error.at(at + 1);
    sum = ~((sum & 0xffff) + (sum >> 16));
    error.at(at + 2) = static_cast<std::uint8_t>(sum >> 8);
    error.at(at + 3) = static_cast<std::uint8_t>(sum);
    return error;
  }

  const bool v4 = GetParam() == AF_INET;
  NetNs node{"node"};
  NetNs world{"world"};
  const IpAddr own = IpAddr::parse(v4 ? "192.0.2.1" : "2001:db8::1").value();
  const IpAddr peer = IpAddr::parse(v4 ? "192.0.2.2" : "2001:db8::2").value();
  const IpAddr other = IpAddr::parse(v4 ? "192.0.2.3" : "2001:db8::3").value();
};

TEST_P(ProbeTest, ForgedErrorsDecideNothing) {
  node.enter([&] {
    ChecksumProbe probe;
    for (int round = 0; round < 5; ++round) {
      EXPECT_EQ(must(probe.step({{own, peer}})), ChecksumProbe::Verdict::kUndecided);
      for (const IpAddr& from : {peer, other}) send_frame(world, "eth0", forged(from));
      // The time for answers; none may count.
      std::this_thread::sleep_for(ChecksumProbe::kPatience);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Over, ProbeTest, testing::Values(AF_INET, AF_INET6),
                         [](const auto& tested) { return tested.param == AF_INET ? "v4" : "v6"; });

}  // namespace
}  // namespace kubecni::test
