#include "k8s/api_endpoints.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

const ApiEndpoint kFirst{.server = "https://a", .address = ""};
const ApiEndpoint kSecond{.server = "https://b", .address = ""};
const ApiEndpoint kLearned{.server = "https://a", .address = "192.0.2.1:6443"};

TEST(ApiEndpoints, TheConfiguredOneIsFirst) {
  ApiEndpoints endpoints({"https://a", "https://b"}, {"192.0.2.1:6443"});

  EXPECT_EQ(endpoints.current(), kFirst);
  EXPECT_EQ(endpoints.count(), 3u);
}

TEST(ApiEndpoints, EachThatFailsMakesRoomForTheNext) {
  ApiEndpoints endpoints({"https://a", "https://b"}, {"192.0.2.1:6443"});

  endpoints.failed(kFirst);
  EXPECT_EQ(endpoints.current(), kSecond);
  endpoints.failed(kSecond);
  EXPECT_EQ(endpoints.current(), kLearned);
  endpoints.failed(kLearned);
  EXPECT_EQ(endpoints.current(), kFirst);
}

TEST(ApiEndpoints, TwoThatSeeTheSameFailureMoveOnOnce) {
  ApiEndpoints endpoints({"https://a", "https://b"});

  endpoints.failed(kFirst);
  endpoints.failed(kFirst);

  EXPECT_EQ(endpoints.current(), kSecond);
}

TEST(ApiEndpoints, TheConfiguredOneIsTriedAgainAfterAWhile) {
  ApiEndpoints endpoints({"https://a", "https://b"}, {"192.0.2.1:6443"});
  const auto start = ApiEndpoints::Clock::now();
  const auto later = start + ApiEndpoints::kTryFirstAfter;
  endpoints.failed(kFirst, start);
  endpoints.failed(kSecond, start);
  EXPECT_EQ(endpoints.current(start), kLearned);

  EXPECT_EQ(endpoints.current(later), kFirst);
  endpoints.failed(kFirst, later);
  EXPECT_EQ(endpoints.current(later), kLearned) << "back to the one that worked";
  EXPECT_EQ(endpoints.current(later + ApiEndpoints::kTryFirstAfter), kFirst);
}

TEST(ApiEndpoints, TheOneThatWorksIsKeptWhateverIsLearned) {
  ApiEndpoints endpoints({"https://a"}, {"192.0.2.1:6443"});
  endpoints.failed(kFirst);

  EXPECT_TRUE(endpoints.learn({"192.0.2.1:6443", "192.0.2.7:6443"}));
  EXPECT_EQ(endpoints.current(), kLearned);
}

TEST(ApiEndpoints, AServerThatHasLeftIsNotAskedAnyMore) {
  ApiEndpoints endpoints({"https://a"}, {"192.0.2.1:6443"});
  endpoints.failed(kFirst);

  EXPECT_TRUE(endpoints.learn({"192.0.2.7:6443"}));
  EXPECT_EQ(endpoints.current(), kFirst);
}

TEST(ApiEndpoints, NothingIsNoNews) {
  ApiEndpoints endpoints({"https://a"});

  EXPECT_TRUE(endpoints.learn({"192.0.2.2:6443", "192.0.2.1:6443"}));
  EXPECT_FALSE(endpoints.learn({"192.0.2.1:6443", "192.0.2.2:6443"}));
  EXPECT_FALSE(endpoints.learn({}));
  EXPECT_EQ(endpoints.count(), 3u);
}

}  // namespace
}  // namespace kubecni
