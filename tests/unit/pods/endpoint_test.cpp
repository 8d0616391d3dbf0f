#include "pods/endpoint.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

constexpr unsigned kHost = 7;
constexpr RateLimit kLimit{.rate = 1'000'000}, kFast{.rate = kLeastPacedRate};

Attachment limited(const Bandwidth& bandwidth) {
  Attachment attachment;
  attachment.bandwidth = bandwidth;
  attachment.shaped = !bandwidth.empty();
  return attachment;
}

TEST(Shaped, IsWhatKubeCniLimits) {
  const ShapedLinks own{.out = {kHost}, .in = {}, .pacing = {}};

  EXPECT_EQ(shaped_of(limited({}), kHost, {}), Shaped::kNothing);
  EXPECT_EQ(shaped_of(limited({.ingress = kLimit, .egress = {}}), kHost, own), Shaped::kReceived);
  EXPECT_EQ(shaped_of(limited({.ingress = {}, .egress = kLimit}), kHost, {}), Shaped::kAll);
  EXPECT_EQ(shaped_of(limited({.ingress = kLimit, .egress = kLimit}), kHost, own), Shaped::kAll);
}

TEST(Shaped, IsPacedIfThePodMayHaveAPacer) {
  const auto shaped = [](const Bandwidth& bandwidth, const ShapedLinks& links,
                         Pacing pacing = Pacing::kYes) {
    return shaped_of(limited(bandwidth), kHost, links, pacing);
  };
  const ShapedLinks none, own{.out = {kHost}, .in = {}, .pacing = {}};
  const ShapedLinks by_others{.out = {kHost}, .in = {kHost}, .pacing = {}};

  EXPECT_EQ(shaped({.ingress = {}, .egress = kFast}, none), Shaped::kSent);
  EXPECT_EQ(shaped({.ingress = kLimit, .egress = kFast}, own), Shaped::kBoth);
  EXPECT_EQ(shaped({.ingress = kLimit, .egress = {}}, own), Shaped::kReceived);
  EXPECT_EQ(shaped({.ingress = {}, .egress = kFast}, none, Pacing::kNo), Shaped::kAll);
  EXPECT_EQ(shaped({.ingress = {}, .egress = kFast}, none, Pacing::kAsIs), Shaped::kAll);
  EXPECT_EQ(shaped({.ingress = {}, .egress = kLimit}, none), Shaped::kAll) << "too slow";
  EXPECT_EQ(shaped({.ingress = {}, .egress = kFast}, own), Shaped::kAll) << "others limit it";
  EXPECT_EQ(shaped({.ingress = kLimit, .egress = kFast}, by_others), Shaped::kAll);
  EXPECT_EQ(shaped({}, own), Shaped::kAll);
}

TEST(Shaped, IsAllIfOthersLimitThePod) {
  const ShapedLinks out{.out = {kHost}, .in = {}, .pacing = {}};
  const ShapedLinks in{.out = {}, .in = {kHost}, .pacing = {}};
  const ShapedLinks another{.out = {kHost + 1}, .in = {kHost + 1}, .pacing = {}};
  Attachment expected_later = limited({});
  expected_later.shaped = true;

  EXPECT_EQ(shaped_of(limited({}), kHost, out), Shaped::kAll);
  EXPECT_EQ(shaped_of(limited({}), kHost, in), Shaped::kAll);
  EXPECT_EQ(shaped_of(limited({}), kHost, another), Shaped::kNothing);
  EXPECT_EQ(shaped_of(expected_later, kHost, {}), Shaped::kAll);
  EXPECT_EQ(shaped_of(limited({.ingress = kLimit, .egress = {}}), kHost, in), Shaped::kAll);
}

}  // namespace
}  // namespace kubecni::test
