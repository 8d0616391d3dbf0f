#include "base/json.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

using nlohmann::json;

TEST(MemberLikeGo, IsFoundInAnyLetterCase) {
  EXPECT_EQ(member_like_go({{"HostPort", 8080}}, "hostPort"), 8080);
  EXPECT_EQ(member_like_go({{"hostport", 8080}}, "hostPort"), 8080);
  EXPECT_EQ(member_like_go({{"hostPort", 8080}}, "hostPort"), 8080);
}

TEST(MemberLikeGo, OfTwoIsTheOneInTheRightCase) {
  EXPECT_EQ(member_like_go({{"IPS", 1}, {"Ips", 2}, {"ips", 3}}, "ips"), 3);
}

TEST(MemberLikeGo, ThatIsNullLeavesTheOtherOne) {
  EXPECT_EQ(member_like_go({{"ips", nullptr}, {"IPs", 2}}, "ips"), 2);
  EXPECT_EQ(member_like_go({{"IPS", nullptr}, {"IPs", 2}}, "ips"), 2);
}

TEST(MemberLikeGo, IsNullWhereThereIsNone) {
  EXPECT_TRUE(member_like_go({{"ip", 1}, {"ipss", 2}}, "ips").is_null());
  EXPECT_TRUE(member_like_go({{"ips", nullptr}}, "ips").is_null());
  EXPECT_TRUE(member_like_go(json::array({1}), "0").is_null());
  EXPECT_TRUE(member_like_go("ips", "ips").is_null());
}

TEST(UnsignedOf, IsEmptyForWhatIsNoUnsigned) {
  EXPECT_EQ(unsigned_of(1500u), 1500u);
  EXPECT_EQ(unsigned_of(4294967295u), 4294967295u);
  EXPECT_EQ(unsigned_of(json::parse("4294967296")), std::nullopt);
  EXPECT_EQ(unsigned_of(json::parse("1e300")), std::nullopt);
  EXPECT_EQ(unsigned_of(1.5), std::nullopt);
  EXPECT_EQ(unsigned_of(-1), std::nullopt);
  EXPECT_EQ(unsigned_of(true), std::nullopt);
  EXPECT_EQ(unsigned_of("1500"), std::nullopt);
  EXPECT_EQ(unsigned_of(json()), std::nullopt);
}

}  // namespace
}  // namespace kubecni
