#include "dataplane/pod_mac.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(PodMac, DependsOnTheWholeAddress) {
  const auto of = [](const char* text) { return pod_mac_of(IpAddr::parse(text).value()).str(); };

  EXPECT_EQ(of("10.200.0.2"), "0a:58:0a:c8:00:02");
  EXPECT_NE(of("fd00:1::2"), of("fd00:2::2"));
  EXPECT_EQ(of("fd00:1::2"), of("fd00:1:0:0::2"));
  EXPECT_TRUE(of("fd00:1::2").starts_with("0a:58:"));
}

}  // namespace
}  // namespace kubecni::test
