// What a runtime may write into runtimeConfig.bandwidth.

#include "requests.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// As it comes from a runtime: numbers have the types that the parser gives them.
CniResult<Bandwidth> read_limits(const std::string& bandwidth) {
  return read_bandwidth(json::parse(R"({"bandwidth": )" + bandwidth + "}"));
}

Bandwidth bandwidth_in(const std::string& text) {
  const auto found = read_limits(text);
  EXPECT_TRUE(found) << found.error().msg;
  return found.value_or(Bandwidth{});
}

/// Message and advice.
std::string limit_refusal(const std::string& text) {
  const auto found = read_limits(text);
  if (found) return "none";
  EXPECT_EQ(found.error().code, CniCode::kInvalidConfig);
  return found.error().msg + "; " + found.error().details;
}

TEST(BandwidthRequest, IsReadLikeRuntimesWriteIt) {
  const Bandwidth wanted{.ingress = RateLimit{.rate = 8'000'000, .burst = 80'000},
                         .egress = RateLimit{.rate = 4'000'000, .burst = 0}};

  EXPECT_EQ(bandwidth_in(R"({"ingressRate": 8000000, "ingressBurst": 80000,
                             "egressRate": 4000000})"),
            wanted);
  EXPECT_EQ(bandwidth_in(R"({"IngressRate": 8000000, "ingressburst": 80000,
                             "EGRESSRATE": 4000000, "egressBurst": 0})"),
            wanted);
}

TEST(BandwidthRequest, MayLimitOneDirectionOrNone) {
  EXPECT_EQ(bandwidth_in(R"({"egressRate": 1000})"),
            (Bandwidth{.ingress = {}, .egress = RateLimit{.rate = 1000}}));
  for (const char* none :
       {"null", "{}", R"({"ingressRate": 0, "ingressBurst": 5})", R"({"ingressRate": null})"})
    EXPECT_TRUE(bandwidth_in(none).empty()) << none;
}

TEST(BandwidthRequest, LeavesOutABurstThatNobodySet) {
  for (const char* unset : {"2147483647", "4294967295", "18446744073709551615"})
    EXPECT_EQ(
        bandwidth_in(R"({"ingressRate": 1000000, "ingressBurst": )" + std::string(unset) + "}")
            .ingress,
        RateLimit{.rate = 1'000'000})
        << unset;
}

TEST(BandwidthRequest, OfAnotherTypeIsRefused) {
  EXPECT_THAT(limit_refusal("10"), HasSubstr("runtimeConfig.bandwidth is 10; give an object"));
  for (const char* bad : {"\"10M\"", "-1", "1.5", "1e6", "true", "[1000]", "18446744073709551616"})
    EXPECT_THAT(limit_refusal(R"({"egressRate": )" + std::string(bad) + "}"),
                HasSubstr("ADD: runtimeConfig.bandwidth.egressRate is "))
        << bad;
  EXPECT_THAT(limit_refusal(R"({"egressRate": 1000, "egressBurst": -1})"),
              HasSubstr("runtimeConfig.bandwidth.egressBurst is -1; give a whole number of bits"));
}

TEST(BandwidthRequest, IsAsLowAndAsHighAsKubernetesAllows) {
  EXPECT_THAT(limit_refusal(R"({"ingressRate": 999})"),
              HasSubstr("ingressRate is 999; give a whole number of bits per second, from 1000"));
  EXPECT_THAT(limit_refusal(R"({"ingressRate": 1000000000000001})"), HasSubstr("10^15"));
  EXPECT_EQ(bandwidth_in(R"({"ingressRate": 1000000000000000})").ingress,
            RateLimit{.rate = 1'000'000'000'000'000});
}

}  // namespace
}  // namespace kubecni::test
