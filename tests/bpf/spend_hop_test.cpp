// The incremental checksum of spend_hop(), RFC 1624, against one that is
// computed anew.
#include "fixture.hpp"

#include <linux/pkt_cls.h>

namespace kubecni::test {
namespace {

class SpendHop : public BpfTest {
 protected:
  /// A packet whose header checksum is `checksum`: the identification makes up for it.
  static Frame with_checksum(std::uint16_t checksum) {
    const Frame zero_id = frame_at(kFromPod, {.id = 0});
    const std::uint32_t sum = std::uint16_t(~ip_checksum(zero_id));
    // sum + id has to be the complement of the checksum, with end-around carry
    std::uint32_t id = (std::uint16_t(~checksum) + 0xffffu - sum) % 0xffffu;
    return frame_at(kFromPod, {.id = static_cast<std::uint16_t>(id)});
  }
};

TEST_F(SpendHop, EdgesOfTheChecksumAreRight) {
  for (const unsigned checksum : {0x0000u, 0x0001u, 0x00ffu, 0x0100u, 0xfdffu, 0xfe00u, 0xfefdu,
                                  0xfefeu, 0xfeffu, 0xff00u, 0xff01u, 0xfffdu, 0xfffeu}) {
    SCOPED_TRACE(testing::Message() << "checksum " << std::hex << checksum);
    const Frame in = with_checksum(static_cast<std::uint16_t>(checksum));
    ASSERT_EQ(ip_checksum(in), checksum);

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
  }
}

TEST_F(SpendHop, OtherFormOfAZeroChecksumIsRight) {
  Frame in = with_checksum(0x0000);
  set_ip_checksum(in, 0xffff);  // minus zero: no sender computes it, but it is valid

  EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
}

TEST_F(SpendHop, EveryChecksumIsRight) {
  for (unsigned id = 0; id <= 0xffff; ++id) {
    const Frame in = frame_at(kFromPod, {.id = static_cast<std::uint16_t>(id)});

    const Passage sent = run_uncounted(kFromPod, in);

    ASSERT_EQ(sent.verdict, TC_ACT_REDIRECT);
    ASSERT_EQ(sent.out, one_hop_older(in)) << "identification " << id;
  }
}

TEST_F(SpendHop, EveryTtlIsCountedDownByOne) {
  for (unsigned ttl = 2; ttl <= 255; ++ttl) {
    const Frame in = frame_at(kFromPod, {.ttl = static_cast<std::uint8_t>(ttl)});

    EXPECT_EQ(run_uncounted(kFromPod, in).out, one_hop_older(in)) << "TTL " << ttl;
  }
}

TEST_F(SpendHop, EveryHopLimitIsCountedDownByOne) {
  for (unsigned ttl = 2; ttl <= 255; ++ttl) {
    const Frame in =
        frame_at(kFromPod, {.family = AF_INET6, .ttl = static_cast<std::uint8_t>(ttl)});

    EXPECT_EQ(run_uncounted(kFromPod, in).out, one_hop_older(in)) << "hop limit " << ttl;
  }
}

TEST_F(SpendHop, WrongChecksumStaysWrong) {
  Frame in = frame_at(kFromPod, {});
  set_ip_checksum(in, static_cast<std::uint16_t>(ip_checksum(in) ^ 0x1000));

  const Passage sent = run(kFromPod, in);

  EXPECT_NE(ip_checksum(sent.out), right_ip_checksum(sent.out));
}

}  // namespace
}  // namespace kubecni::test
