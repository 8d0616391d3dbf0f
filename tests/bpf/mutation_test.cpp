// For any bytes, a program gives one of three verdicts by one counted exit, and changes only
// packets that it redirects.
#include "fixture.hpp"

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <algorithm>
#include <random>
#include <set>
#include <string_view>

namespace kubecni::test {
namespace {

constexpr unsigned kRuns = 20000;
constexpr unsigned kSeed = 20240229;  // any value, but the same each time

class Mutation : public BpfTest {
 protected:
  std::uint32_t below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_);
  }

  /// A valid packet.
  Frame sound_frame(const Program& hook) {
    if (below(10) == 0)
      return arp_packet({.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = kPodA});
    if (below(10) == 0) return discovery();
    const Family& family = below(2) == 0 ? kIpv4 : kIpv6;
    IpPacket packet{.family = family.af, .protocol = kProtocols[below(std::size(kProtocols))]};
    if (below(4) == 0) {
      packet.dst_mac = kPodBMac;
      packet.dst = family.pod_b;
    } else if (below(4) == 0 && hook.hook == KUBECNI_HOOK_TC_INGRESS) {
      packet.dst = family.tunnel_pod;
    }
    if (below(10) == 0) {
      constexpr std::uint8_t kHeaders[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_AH,
                                           IPPROTO_FRAGMENT};
      for (unsigned more = below(12); more > 0; --more)
        packet.extension_headers.push_back(kHeaders[below(std::size(kHeaders))]);
    }
    if (below(10) == 0) packet.option_bytes = std::size_t{4} * below(11);
    if (below(10) == 0) packet.fragment_offset = std::size_t{8} * below(8192);
    return frame_at(hook, packet);
  }

  Frame discovery() {
    return nd_message({.src_mac = kPodAMac,
                       .src = kIpv6.pod_a,
                       .type = static_cast<std::uint8_t>(133 + below(5)),
                       .target = kIpv6.pod_a,
                       .options = std::vector<NdOption>(below(4), {1, kPodAMac})});
  }

  /// The kernel refuses shorter test packets: IP needs a whole header.
  static std::size_t smallest_run(const Frame& frame) {
    const int ethertype = frame.at(12) << 8 | frame.at(13);
    return ETH_HLEN + (ethertype == ETH_P_IP ? 20u : ethertype == ETH_P_IPV6 ? 40u : 0u);
  }

  /// Flips some bits, mostly in the headers, and may cut the end off.
  void spoil(Frame& frame) {
    for (unsigned turns = below(4); turns > 0; --turns) {
      const auto limit = below(4) == 0 ? frame.size() : std::min<std::size_t>(frame.size(), 86);
      frame[below(static_cast<std::uint32_t>(limit))] ^= static_cast<std::uint8_t>(1 + below(255));
    }
    if (below(4) == 0)
      frame.resize(ETH_HLEN + below(static_cast<std::uint32_t>(frame.size() - ETH_HLEN) + 1));
    frame.resize(std::max(frame.size(), smallest_run(frame)));
  }

  /// The packet without what a router may change: MACs, TTL or hop limit, and header checksum.
  static Frame unrouted(Frame frame) {
    const bool is_v6 = frame.at(12) == ETH_P_IPV6 >> 8;
    std::fill_n(frame.begin(), 12, std::uint8_t{0});
    const auto changed =
        is_v6 ? std::vector<std::size_t>{21} : std::vector<std::size_t>{22, 24, 25};
    for (const std::size_t at : changed) frame.at(at) = 0;
    return frame;
  }

  static bool only_watches(const Program& hook) { return hook.hook == KUBECNI_HOOK_TC_EGRESS; }

  void check(const Program& hook, const Passage& passage) {
    if (passage.verdict != TC_ACT_REDIRECT) {
      ASSERT_THAT(passage.verdict, testing::AnyOf(TC_ACT_UNSPEC, TC_ACT_SHOT));
      ASSERT_EQ(passage.out, passage.in);
    } else {
      ASSERT_EQ(unrouted(passage.out), unrouted(passage.in));
    }
    ASSERT_TRUE(passage.verdict == TC_ACT_UNSPEC || !only_watches(hook));
  }

 private:
  std::mt19937 random_{kSeed};
};

TEST_F(Mutation, PacketsOfAnyBytesKeepTheRules) {
  std::set<int> verdicts;
  const auto total = [] {
    std::uint64_t packets = 0;
    for (const auto& count : exit_counts()) packets += count.packets;
    return packets;
  };
  const std::uint64_t before = total();

  for (unsigned i = 0; i < kRuns; ++i) {
    const Program& hook = kPrograms[below(kPrograms.size())];
    Frame frame = sound_frame(hook);
    spoil(frame);
    const Metadata metadata{.mark = below(8) == 0 ? below(0xffffffff) : 0,
                            .gso_size = below(8) == 0 ? below(2000) : 0};
    const Passage passage = run_uncounted(hook, frame, metadata);
    verdicts.insert(passage.verdict);
    ASSERT_NO_FATAL_FAILURE(check(hook, passage))
        << "run " << i << " of " << hook.name << ": " << testing::PrintToString(frame);
  }

  EXPECT_EQ(total() - before, kRuns) << "each packet leaves by exactly one counted exit";
  EXPECT_THAT(verdicts, testing::ElementsAre(TC_ACT_UNSPEC, TC_ACT_SHOT, TC_ACT_REDIRECT))
      << "the packets are too sound or too spoilt to mean anything";
}

}  // namespace
}  // namespace kubecni::test
