// A program never writes beyond the end of a short packet, and does not change a packet with
// incomplete headers.
#include "fixture.hpp"

#include <linux/if_ether.h>

#include <functional>

namespace kubecni::test {
namespace {

class Truncation : public BothFamilies {
 protected:
  static std::size_t ip_end() { return ETH_HLEN + family().ip_header; }
  static std::size_t headers_end(std::uint8_t protocol) {
    return ip_end() + (protocol == IPPROTO_TCP ? 20 : 8);
  }
  /// Runs `hook` on every beginning of `frame` that the kernel accepts for tests: with a whole IP
  /// header. See ShortFrames for the rest.
  void for_each_beginning(const Program& hook, const Frame& frame,
                          const std::function<void(const Passage&)>& check) {
    const bool is_arp = frame.at(12) == ETH_P_ARP >> 8 && frame.at(13) == (ETH_P_ARP & 0xff);
    const std::size_t smallest = is_arp ? ETH_HLEN : ip_end();
    for (std::size_t size = smallest; size <= frame.size(); ++size) {
      SCOPED_TRACE(testing::Message() << hook.name << ", " << size << " bytes");
      check(run(hook, Frame(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size))));
    }
  }
};

TEST_P(Truncation, FromPodDropsUntilTheHeadersAreComplete) {
  for (const auto protocol : kProtocols) {
    for_each_beginning(kFromPod, frame_at(kFromPod, {.protocol = protocol}), [&](const auto& cut) {
      if (cut.in.size() < headers_end(protocol))
        EXPECT_THAT(cut, Dropped(KUBECNI_DROP_SHORT_PACKET));
      else
        EXPECT_THAT(cut, Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(cut.in)));
    });
  }
}

TEST_P(Truncation, FromPodDropsSameNodePacketsUntilTheHeadersAreComplete) {
  const Frame whole = frame_at(kFromPod, {.dst_mac = kPodBMac, .dst = family().pod_b});
  for_each_beginning(kFromPod, whole, [&](const auto& cut) {
    if (cut.in.size() < headers_end(IPPROTO_UDP))
      EXPECT_THAT(cut, Dropped(KUBECNI_DROP_SHORT_PACKET));
    else
      EXPECT_THAT(cut, Redirected(KUBECNI_FAST_TO_LOCAL_POD, cut.in));
  });
}

TEST_P(Truncation, FromWireDropsUntilTheHeadersAreComplete) {
  for (const auto protocol : kProtocols) {
    for_each_beginning(
        kFromWire, frame_at(kFromWire, {.protocol = protocol}), [&](const auto& cut) {
          if (cut.in.size() < headers_end(protocol))
            EXPECT_THAT(cut, Dropped(KUBECNI_DROP_SHORT_PACKET));
          else
            EXPECT_THAT(cut, Redirected(KUBECNI_FAST_FROM_WIRE,
                                        with_macs(one_hop_older(cut.in), kPodAMac, kGatewayMac)));
        });
  }
}

TEST_P(Truncation, ToPodPassesEverythingAndRecordsWhenTheHeadersAreComplete) {
  for (const auto protocol : kProtocols) {
    reset_the_maps();
    for_each_beginning(kToPod, frame_at(kToPod, {.protocol = protocol}), [&](const auto& cut) {
      EXPECT_THAT(cut, LeftToKernel(KUBECNI_KERNEL_TO_POD));
      // Conntrack answers about the others.
      const bool is_noted = (protocol == IPPROTO_ICMP || protocol == IPPROTO_SCTP) &&
                            cut.in.size() >= headers_end(protocol);
      EXPECT_EQ(flows().empty(), !is_noted);
    });
  }
}

TEST_P(Truncation, ToWirePassesEverythingAndRecordsWhenTheHeadersAreComplete) {
  for (const auto protocol : kProtocols) {
    reset_the_maps();
    for_each_beginning(kToWire, frame_at(kToWire, {.protocol = protocol}), [&](const auto& cut) {
      EXPECT_THAT(cut, LeftToKernel(KUBECNI_KERNEL_TO_WIRE));
      // Conntrack answers about the others.
      const bool is_noted = (protocol == IPPROTO_ICMP || protocol == IPPROTO_SCTP) &&
                            cut.in.size() >= headers_end(protocol);
      EXPECT_EQ(flows().empty(), !is_noted);
    });
  }
}

KUBECNI_FOR_BOTH_FAMILIES(Truncation);

}  // namespace
}  // namespace kubecni::test
