// from_pod, and the next hop to another node: what begins a flow while nobody answers for the next
// hop's address takes the kernel path, which tells the sender.
#include "flows.hpp"
#include "net/sysctl.hpp"
#include "support/process.hpp"

namespace kubecni::test {
namespace {

class NextHop : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    if (IsSkipped()) return;
    must(ensure_sysctl("net/ipv6/conf/nic/disable_ipv6", "0"));
    must(ensure_sysctl("net/ipv6/conf/nic/forwarding", "1"));
    must(ensure_sysctl("net/ipv4/conf/nic/forwarding", "1"));
    address("add");
  }
  void TearDown() override {
    if (IsSkipped()) return;
    address("del");
    must(ensure_sysctl("net/ipv6/conf/nic/disable_ipv6", "1"));
  }

  static void address(const char* verb) {
    const bool v4 = family().af == AF_INET;
    std::vector<std::string> argv{
        "ip", "address", verb, v4 ? "203.0.113.1/24" : "2001:db8:ffff::1/64", "dev", "nic"};
    if (verb == std::string("add")) argv.emplace_back("nodad");
    must_run({.argv = argv});
  }
  static void resolve() {
    must_run({.argv = {"ip", "neigh", "replace", family().remote_node, "lladdr", kRemoteNodeMac,
                       "dev", "nic", "nud", "stale"}});
  }
  Passage client_sends_flags(std::uint8_t tcp_flags) {
    IpPacket packet = request(IPPROTO_TCP);
    packet.tcp_flags = tcp_flags;
    return run(kFromPod, frame_at(kFromPod, packet));
  }
};

constexpr std::uint8_t kSyn = 0x02, kSynAck = 0x12;

TEST_P(NextHop, ThatDoesNotAnswerLeavesWhatBeginsToTheKernel) {
  EXPECT_THAT(client_sends_flags(kSyn), LeftToKernel(KUBECNI_PASS_NO_NEIGHBOUR));
  EXPECT_THAT(client_sends(IPPROTO_UDP), LeftToKernel(KUBECNI_PASS_NO_NEIGHBOUR));
  EXPECT_TRUE(flows().empty()) << "the next packet is judged anew";

  resolve();
  EXPECT_EQ(client_sends_flags(kSyn).reason, KUBECNI_FAST_TO_NODE);
  EXPECT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_FAST_TO_NODE);
}

TEST_P(NextHop, ThatDoesNotAnswerEndsNoFlow) {
  for (const std::uint8_t flags : {kSynAck, std::uint8_t{0x18}})
    EXPECT_EQ(client_sends_flags(flags).reason, KUBECNI_FAST_TO_NODE) << unsigned{flags};
}

TEST_P(NextHop, ThatTheTunnelNeedsIsItsOwnMatter) {
  IpPacket packet = request(IPPROTO_UDP);
  packet.dst = family().tunnel_pod;

  EXPECT_EQ(run(kFromPod, frame_at(kFromPod, packet)).reason, KUBECNI_FAST_TO_TUNNEL);
}

KUBECNI_FOR_BOTH_FAMILIES(NextHop);

}  // namespace
}  // namespace kubecni::test
