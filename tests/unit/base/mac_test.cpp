#include "base/mac.hpp"

#include <gtest/gtest.h>

#include <string>

namespace kubecni::test {
namespace {

using namespace std::string_literals;

TEST(MacAddr, IsReadAndWrittenInHexadecimal) {
  const auto parsed = MacAddr::parse("0A:58:ff:00:00:9c");

  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, (MacAddr{{0x0a, 0x58, 0xff, 0x00, 0x00, 0x9c}}));
  EXPECT_EQ(parsed->str(), "0a:58:ff:00:00:9c");
}

TEST(MacAddr, RefusesWhatIsNoAddress) {
  for (const auto& text :
       {""s, ":::::"s, "0a:58:c0:00:02"s, "0a:58:c0:00:02:01:07"s, "0a:58:c0:00:02:"s,
        "0a:58:c0:00:02:0g"s, "0a:58:c0:00:02:001"s, "0a-58-c0-00-02-01"s, "0a58c0000201"s,
        " 0a:58:c0:00:02:01"s, "0a:58:c0:00:02:01 "s, "0a:58:c0:00:02: 1"s, "0a:58:c0:00:02:-1"s,
        "0a:58:c0:00:02:+1"s, "0a:58:c0:00:02:0x"s, "0a:58:c0:00:02:01\n"s})
    EXPECT_FALSE(MacAddr::parse(text)) << text;
}

TEST(MacAddr, RefusesNulBytesWhereverTheyAre) {
  for (const auto& text : {"0a:58:c0:00:02:01\0"s, "0a:58:c0:00:02:0\0"s, "\0:58:c0:00:02:01"s})
    EXPECT_FALSE(MacAddr::parse(text)) << text.size() << " bytes";
}

TEST(MacAddr, IsDerivedFromTheFourBytesOfAnAddress) {
  EXPECT_EQ(MacAddr::derived_from(IpAddr::v4({192, 0, 2, 255})).str(), "0a:58:c0:00:02:ff");
}

TEST(MacAddr, LinkLocalAddressIsTheModifiedEui64) {
  EXPECT_EQ(MacAddr::parse("0a:58:c0:00:02:01")->link_local().str(), "fe80::858:c0ff:fe00:201");
  EXPECT_EQ(MacAddr::parse("00:00:5e:00:53:01")->link_local().str(), "fe80::200:5eff:fe00:5301");
}

}  // namespace
}  // namespace kubecni::test
