#include "config/bgp_options.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

TEST(BgpPeer, IsAnAddressWithWhatDiffersFromTheDefaults) {
  EXPECT_EQ(parse_bgp_peer("192.0.2.254").value(),
            (BgpPeer{addr("192.0.2.254"), std::nullopt, 179, ""}));
  EXPECT_EQ(parse_bgp_peer("2001:db8::1@4200000000,port=1179,password-file=/etc/a,port=2").value(),
            (BgpPeer{addr("2001:db8::1"), 4200000000, 2, "/etc/a"}));
}

TEST(BgpPeer, ThatIsWrongIsRefusedWithTheReason) {
  const auto why = [](const std::string& text) { return parse_bgp_peer(text).error().what; };

  EXPECT_THAT(why(""), HasSubstr("\"\" is not an IP address"));
  EXPECT_THAT(why("router"), HasSubstr("\"router\" is not an IP address"));
  EXPECT_THAT(why("192.0.2.1:179"), HasSubstr("\"192.0.2.1:179\" is not an IP address"));
  EXPECT_THAT(why("fe80::1"), HasSubstr("link-local"));
  for (const std::string as : {"", "0", "23456", "65535", "4294967295", "4294967296", "1.1", "x"})
    EXPECT_THAT(why("192.0.2.1@" + as),
                HasSubstr("\"" + as + "\" is not the number of an autonomous system"));
  for (const std::string port : {"", "0", "65536", "bgp"})
    EXPECT_THAT(why("192.0.2.1,port=" + port), HasSubstr("is not a port"));
  EXPECT_THAT(why("192.0.2.1,password-file=secret"), HasSubstr("not an absolute path"));
  EXPECT_THAT(why("192.0.2.1,password=secret"), HasSubstr("neither port=PORT nor"));
}

TEST(BgpOptions, MayNotContradictEachOther) {
  BgpOptions options;
  EXPECT_EQ(contradiction_in(options), "");

  options.keepalive_time = 90;
  EXPECT_THAT(contradiction_in(options), HasSubstr("less than --bgp-hold-time 90"));
  options.keepalive_time = 30;
  options.password_file = "secret";
  EXPECT_THAT(contradiction_in(options), HasSubstr("--bgp-password-file"));
  options.password_file = "";
  options.as = 23456;
  EXPECT_THAT(contradiction_in(options), HasSubstr("reserved"));
  options.as = 64512;
  options.peers = {{.address = addr("192.0.2.1")}, {.address = addr("192.0.2.1"), .port = 2}};
  EXPECT_THAT(contradiction_in(options), HasSubstr("192.0.2.1 is given twice"));
}

}  // namespace
}  // namespace kubecni::test
