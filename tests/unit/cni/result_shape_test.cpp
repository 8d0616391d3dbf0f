#include "result_shape.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json read(const char* text) { return json::parse(text); }

const json kNewest = read(R"({
  "cniVersion": "1.1.0",
  "interfaces": [{"name": "veth1", "mac": "02:00:00:00:00:01", "mtu": 1500},
                 {"name": "eth0", "sandbox": "/run/netns/pod", "socketPath": "/s", "pciID": "1"}],
  "ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1", "interface": 1},
          {"address": "fd00::2/64", "interface": 1}],
  "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1", "mtu": 1400, "priority": 5},
             {"dst": "::/0", "gw": "fd00::1"}],
  "dns": {"nameservers": ["10.96.0.10"]}})");

TEST(UpgradeResult, Before030BecomesListsOfTheFamilies) {
  const json flat = read(R"({"cniVersion": "0.2.0",
    "ip4": {"ip": "10.1.0.2/24", "gateway": "10.1.0.1", "routes": [{"dst": "0.0.0.0/0"}]},
    "ip6": {"ip": "fd00::2/64"}})");

  const json upgraded = upgrade_result(flat).value();

  EXPECT_EQ(upgraded, read(R"({"cniVersion": "1.1.0", "interfaces": [], "dns": {},
    "ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}, {"address": "fd00::2/64"}],
    "routes": [{"dst": "0.0.0.0/0"}]})"));
}

TEST(UpgradeResult, Of031DropsTheVersionOfAnAddress) {
  const json old = read(R"({"cniVersion": "0.3.1",
    "ips": [{"version": "4", "address": "10.1.0.2/24"}]})");

  EXPECT_EQ(upgrade_result(old).value()["ips"], read(R"([{"address": "10.1.0.2/24"}])"));
}

TEST(UpgradeResult, TakesTheNullsOfGoForEmptyLists) {
  const json nulls = read(R"({"interfaces": null, "ips": null, "routes": null, "dns": null})");

  EXPECT_EQ(upgrade_result(nulls).value(), upgrade_result(json::object()).value());
}

TEST(UpgradeResult, NewestStaysUnchanged) { EXPECT_EQ(upgrade_result(kNewest).value(), kNewest); }

struct Bad {
  const char* name;
  const char* result;
  const char* phrase;
};
class BadResult : public testing::TestWithParam<Bad> {};

TEST_P(BadResult, IsRefusedWithThePlace) {
  const auto upgraded = upgrade_result(read(GetParam().result));

  ASSERT_FALSE(upgraded);
  EXPECT_THAT(upgraded.error().what, HasSubstr(GetParam().phrase));
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadResult,
    testing::Values(
        Bad{"NoObject", "[]", "result"}, Bad{"IpsNoList", R"({"ips": {}})", "ips"},
        Bad{"IpNoObject", R"({"ips": [7]})", "ips: 7"},
        Bad{"AddressWithoutPrefix", R"({"ips": [{"address": "10.1.0.2"}]})", "10.1.0.2"},
        Bad{"GatewayNoAddress", R"({"ips": [{"address": "10.1.0.2/24", "gateway": "x"}]})",
            "\"x\""},
        Bad{"IndexTooLarge", R"({"interfaces": [{"name": "a"}],
             "ips": [{"address": "10.1.0.2/24", "interface": 1}]})",
            "interface: 1"},
        Bad{"IndexNegative", R"({"interfaces": [{"name": "a"}],
             "ips": [{"address": "10.1.0.2/24", "interface": -1}]})",
            "interface: -1"},
        Bad{"InterfaceWithoutName", R"({"interfaces": [{"mac": "x"}]})", "with a name"},
        Bad{"RouteWithoutDestination", R"({"routes": [{"gw": "10.1.0.1"}]})", "routes: dst"},
        Bad{"FlatNoObject", R"({"ip4": 7})", "ip4: 7"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(ResultForVersion, Before110HasNoMtuAndOnlyPlainRoutes) {
  const json old = result_for_version(kNewest, "1.0.0").value();

  EXPECT_EQ(old["cniVersion"], "1.0.0");
  EXPECT_EQ(old["interfaces"][0], read(R"({"name": "veth1", "mac": "02:00:00:00:00:01"})"));
  EXPECT_EQ(old["interfaces"][1], read(R"({"name": "eth0", "sandbox": "/run/netns/pod"})"));
  EXPECT_EQ(old["routes"][0], read(R"({"dst": "0.0.0.0/0", "gw": "10.1.0.1"})"));
  EXPECT_FALSE(old["ips"][0].contains("version"));
}

TEST(ResultForVersion, Before100SaysTheFamilyOfEachAddress) {
  for (const char* version : {"0.3.0", "0.3.1", "0.4.0"}) {
    const json old = result_for_version(kNewest, version).value();

    EXPECT_EQ(old["ips"][0]["version"], "4") << version;
    EXPECT_EQ(old["ips"][1]["version"], "6") << version;
  }
}

TEST(ResultForVersion, Before030HasTheFirstAddressOfEachFamilyWithItsRoutes) {
  EXPECT_EQ(result_for_version(kNewest, "0.2.0").value(), read(R"({"cniVersion": "0.2.0",
    "ip4": {"ip": "10.1.0.2/24", "gateway": "10.1.0.1",
            "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}]},
    "ip6": {"ip": "fd00::2/64", "routes": [{"dst": "::/0", "gw": "fd00::1"}]},
    "dns": {"nameservers": ["10.96.0.10"]}})"));
}

TEST(ResultForVersion, Before030WithoutAnAddressIsAnError) {
  const auto flat = result_for_version(upgrade_result(json::object()).value(), "0.1.0");

  ASSERT_FALSE(flat);
  EXPECT_THAT(flat.error().what, HasSubstr("no address"));
}

TEST(ResultForVersion, ComesBackTheSameFromEachVersionThatCanSayIt) {
  json plain = kNewest;
  for (json& interface : plain["interfaces"])
    for (const char* key : {"mtu", "socketPath", "pciID"}) interface.erase(key);
  for (json& route : plain["routes"])
    for (const char* key : {"mtu", "priority"}) route.erase(key);

  for (const char* version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
    EXPECT_EQ(upgrade_result(result_for_version(plain, version).value()).value(), plain) << version;
}

}  // namespace
}  // namespace kubecni::test
