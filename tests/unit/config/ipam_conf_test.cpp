#include "config/ipam_conf.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

IpamConf ipam_of(const std::string& text) { return parse_ipam_conf(json::parse(text)).value(); }

TEST(IpamConf, HasItsDefaultsWhenItIsEmpty) {
  EXPECT_TRUE(ipam_of("{}").ranges.empty());
  EXPECT_EQ(ipam_of("{}").migrate_from, "/var/lib/cni/networks");
}

TEST(IpamConf, HasASetForEachListOfRanges) {
  const auto conf = ipam_of(R"({"ranges": [
      [{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.20",
        "gateway": "10.1.0.254"}, {"subnet": "10.2.0.0/24"}],
      [{"subnet": "fd00::/64"}]]})");

  ASSERT_EQ(conf.ranges.size(), 2u);
  EXPECT_EQ(conf.ranges[0].at(0), (Range{net("10.1.0.0/24"), IpAddr::parse("10.1.0.9"),
                                         IpAddr::parse("10.1.0.20"), IpAddr::parse("10.1.0.254")}));
  EXPECT_EQ(conf.ranges[0].at(1), Range{net("10.2.0.0/24")});
  EXPECT_EQ(conf.ranges[1].at(0), Range{net("fd00::/64")});
}

TEST(IpamConf, HasTheShortFormAsItsFirstSet) {
  const auto conf = ipam_of(R"({"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9",
                               "ranges": [[{"subnet": "fd00::/64"}]]})");

  ASSERT_EQ(conf.ranges.size(), 2u);
  EXPECT_EQ(conf.ranges[0].at(0), (Range{net("10.1.0.0/24"), IpAddr::parse("10.1.0.9")}));
  EXPECT_EQ(conf.ranges[1].at(0), Range{net("fd00::/64")});
}

TEST(IpamConf, SaysWhereAHostLocalLeftItsLeases) {
  EXPECT_EQ(ipam_of(R"({"migrateFrom": "/srv/leases"})").migrate_from, "/srv/leases");
  EXPECT_EQ(ipam_of(R"({"migrateFrom": ""})").migrate_from, "");
  EXPECT_EQ(ipam_of(R"({"migrateFrom": false})").migrate_from, "");
}

struct Wrong {
  const char* name;
  const char* text;
  const char* phrase;
  int code = EINVAL;

  friend void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }
};

class WrongIpamConf : public testing::TestWithParam<Wrong> {};

TEST_P(WrongIpamConf, IsRefusedWithItsKey) {
  const auto conf = parse_ipam_conf(json::parse(GetParam().text));

  ASSERT_FALSE(conf);
  EXPECT_EQ(conf.error().code, GetParam().code);
  EXPECT_THAT(conf.error().what, HasSubstr(GetParam().phrase));
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongIpamConf,
    testing::Values(
        Wrong{"NoObject", "7", "\"ipam\": 7"}, Wrong{"List", "[]", "\"ipam\": an array"},
        Wrong{"TypeIsAPath", R"({"type": "../sh"})", "\"ipam.type\": \"../sh\""},
        Wrong{"UnknownKey", R"({"range": []})", "\"ipam.range\" is unknown"},
        Wrong{"RangesNoList", R"({"ranges": {}})", "\"ipam.ranges\": an object"},
        Wrong{"SetNoList", R"({"ranges": [{"subnet": "10.1.0.0/24"}]})", "\"ipam.ranges[0]\""},
        Wrong{"SetEmpty", R"({"ranges": [[]]})", "\"ipam.ranges[0]\""},
        Wrong{"RangeNoObject", R"({"ranges": [["10.1.0.0/24"]]})", "\"ipam.ranges[0][0]\""},
        Wrong{"NoSubnet", R"({"ranges": [[{}]]})", "\"ipam.ranges[0][0].subnet\" is missing"},
        Wrong{"StartWithoutSubnet", R"({"rangeStart": "10.1.0.1"})", "\"ipam.subnet\" is missing"},
        Wrong{"UnknownRangeKey",
              R"({"ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "10.2.0.0/24", "start": 1}]]})",
              "\"ipam.ranges[0][1].start\" is unknown"},
        Wrong{"SubnetNumber", R"({"subnet": 7})", "\"ipam.subnet\": 7"},
        Wrong{"SubnetHostBits", R"({"subnet": "10.1.0.7/24"})", "did you mean \"10.1.0.0/24\"?"},
        Wrong{"Start", R"({"subnet": "10.1.0.0/24", "rangeStart": "x"})", "\"ipam.rangeStart\""},
        Wrong{"End", R"({"subnet": "10.1.0.0/24", "rangeEnd": 7})", "\"ipam.rangeEnd\": 7"},
        Wrong{"Gateway", R"({"subnet": "10.1.0.0/24", "gateway": []})", "\"ipam.gateway\""},
        Wrong{"MigrateTrue", R"({"migrateFrom": true})", "\"ipam.migrateFrom\": true"},
        Wrong{"MigrateRelative", R"({"migrateFrom": "x"})", "\"ipam.migrateFrom\": \"x\""}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace kubecni::test
