#include "pods/endpoint.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

constexpr unsigned kHost = 7;
constexpr RateLimit kLimit{.rate = 1'000'000};

Attachment limited(const Bandwidth& bandwidth) {
  Attachment attachment;
  attachment.bandwidth = bandwidth;
  attachment.shaped = !bandwidth.empty();
  return attachment;
}

TEST(Shaped, IsWhatKubeCniLimits) {
  const ShapedLinks own{.out = {kHost}, .in = {}};

  EXPECT_EQ(shaped_of(limited({}), kHost, {}), Shaped::kNothing);
  EXPECT_EQ(shaped_of(limited({.ingress = kLimit, .egress = {}}), kHost, own), Shaped::kReceived);
  EXPECT_EQ(shaped_of(limited({.ingress = {}, .egress = kLimit}), kHost, {}), Shaped::kAll);
  EXPECT_EQ(shaped_of(limited({.ingress = kLimit, .egress = kLimit}), kHost, own), Shaped::kAll);
}

TEST(Shaped, IsAllIfOthersLimitThePod) {
  const ShapedLinks out{.out = {kHost}, .in = {}}, in{.out = {}, .in = {kHost}};
  const ShapedLinks another{.out = {kHost + 1}, .in = {kHost + 1}};
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
