#include "net_conf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A configuration with `changes`; null removes a key.
std::string conf_text(const json& changes = json::object()) {
  json conf{{"cniVersion", "1.0.0"}, {"name", "net"}, {"type", "kube-cni"}};
  conf.merge_patch(changes);
  return conf.dump();
}

NetConf parsed(const json& changes) { return parse_net_conf(conf_text(changes)).value(); }

TEST(NetConf, HasItsDefaultsWhenOnlyTheRequiredKeysAreGiven) {
  const auto conf = parse_net_conf(R"({"cniVersion": "1.1.0", "name": "net", "type": "kube-cni"})");

  ASSERT_TRUE(conf);
  EXPECT_EQ(conf->cni_version, "1.1.0");
  EXPECT_EQ(conf->name, "net");
  EXPECT_EQ(conf->bridge, "cni0");
  EXPECT_EQ(conf->mtu, std::nullopt);
  EXPECT_EQ(conf->dataplane, DataplaneMode::kAuto);
  EXPECT_EQ(conf->state_dir, "/var/lib/kube-cni");
  EXPECT_EQ(conf->run_dir, "/run/kube-cni");
  EXPECT_EQ(conf->bpffs, "/sys/fs/bpf/kube-cni");
  EXPECT_EQ(conf->log_level, "warn");
  EXPECT_EQ(conf->subnet, std::nullopt);
  EXPECT_EQ(conf->dns, json::object());
  EXPECT_TRUE(conf->prev_result.is_null());
}

TEST(NetConf, HasTheValueOfEveryKey) {
  const json dns{{"nameservers", {"192.0.2.53"}}};
  const json prev_result{{"cniVersion", "1.0.0"}, {"ips", json::array()}};

  const NetConf conf = parsed({{"bridge", "br7"},
                               {"mtu", 1450},
                               {"dataplane", "ebpf"},
                               {"stateDir", "/srv/state"},
                               {"runDir", "/srv/run"},
                               {"bpffs", "/srv/bpf"},
                               {"logLevel", "debug"},
                               {"policyTimeout", 3},
                               {"network", "10.200.0.0/16"},
                               {"subnet", "10.200.7.0/24"},
                               {"dns", dns},
                               {"prevResult", prev_result}});

  EXPECT_EQ(conf.bridge, "br7");
  EXPECT_EQ(conf.mtu, 1450u);
  EXPECT_EQ(conf.dataplane, DataplaneMode::kEbpf);
  EXPECT_EQ(conf.state_dir, "/srv/state");
  EXPECT_EQ(conf.run_dir, "/srv/run");
  EXPECT_EQ(conf.bpffs, "/srv/bpf");
  EXPECT_EQ(conf.log_level, "debug");
  EXPECT_EQ(conf.policy_timeout, std::chrono::seconds(3));
  EXPECT_EQ(conf.subnet, IpNet::parse("10.200.7.0/24"));
  EXPECT_EQ(conf.dns, dns);
  EXPECT_EQ(conf.prev_result, prev_result);
}

TEST(NetConf, TakesTheGatewayForARouterBehindTheUplink) {
  const NetConf conf = parsed({{"bridge", "lan0"}, {"uplink", "eth0.100"}});

  EXPECT_EQ(conf.uplink, "eth0.100");
  EXPECT_FALSE(conf.is_gateway);
}

TEST(NetConf, KnowsTheThreeDataplanes) {
  EXPECT_EQ(parsed({{"dataplane", "auto"}}).dataplane, DataplaneMode::kAuto);
  EXPECT_EQ(parsed({{"dataplane", "ebpf"}}).dataplane, DataplaneMode::kEbpf);
  EXPECT_EQ(parsed({{"dataplane", "bridge"}}).dataplane, DataplaneMode::kBridge);
}

TEST(NetConf, RefusesWhatModePtpCannotDo) {
  EXPECT_EQ(parsed({{"mode", "ptp"}}).mode, PodMode::kPtp);
  for (const json& other : {json{{"isGateway", false}}, json{{"ipam", {{"type", "dhcp"}}}}}) {
    json conf{{"mode", "ptp"}};
    conf.update(other);

    const auto refused = parse_net_conf(conf_text(conf));

    ASSERT_FALSE(refused) << conf;
    EXPECT_EQ(refused.error().code, CniCode::kInvalidConfig);
    EXPECT_THAT(refused.error().msg, HasSubstr("ptp"));
  }
}

// The configuration that the field's tutorials write.
TEST(NetConf, TakesTheTutorialConfiguration) {
  const auto conf = parse_net_conf(
      R"({"cniVersion": "0.3.0", "name": "k8s-pod-network", "type": "kube-cni",
          "network": "10.200.0.0/16", "subnet": "10.200.0.0/24"})");

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_EQ(conf->cni_version, "0.3.0");
  EXPECT_EQ(conf->name, "k8s-pod-network");
  EXPECT_EQ(conf->subnet, IpNet::parse("10.200.0.0/24"));
}

TEST(NetConf, TakesASubnetThatIsTheWholeNetwork) {
  EXPECT_TRUE(
      parse_net_conf(conf_text({{"network", "10.200.0.0/24"}, {"subnet", "10.200.0.0/24"}})));
}

TEST(NetConf, TakesEveryVersionThatItSupports) {
  for (const auto version : kSupportedVersions)
    EXPECT_TRUE(parse_net_conf(conf_text({{"cniVersion", version}}))) << version;
}

TEST(NetConf, TakesKeysThatItDoesNotKnow) {
  EXPECT_TRUE(parse_net_conf(conf_text({{"capabilities", {{"portMappings", true}}},
                                        {"args", {{"cni", json::object()}}},
                                        {"runtimeConfig", 7},
                                        {"x", {1, 2, 3}}})));
}

TEST(NetConf, TakesNullForAKeyThatIsNotThere) {
  const auto conf = parse_net_conf(
      R"({"cniVersion": "1.0.0", "name": "net", "bridge": null, "mtu": null, "dataplane": null,
          "stateDir": null, "logLevel": null, "subnet": null, "network": null, "ipam": null,
          "dns": null, "prevResult": null})");

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_EQ(conf->bridge, "cni0");
  EXPECT_EQ(conf->dns, json::object());
}

TEST(NetConf, TakesIpamWithoutAType) {
  EXPECT_TRUE(parse_net_conf(conf_text({{"ipam", json::object()}})));
}

struct WrongKey {
  const char* name;
  json changes;
  const char* message;
  CniCode code = CniCode::kInvalidConfig;

  friend void PrintTo(const WrongKey& wrong, std::ostream* out) { *out << wrong.changes; }
};

class NetConfRefuses : public testing::TestWithParam<WrongKey> {};

TEST_P(NetConfRefuses, AKeyThatIsWrongAndNamesIt) {
  const auto conf = parse_net_conf(conf_text(GetParam().changes));

  ASSERT_FALSE(conf);
  EXPECT_EQ(conf.error().code, GetParam().code);
  EXPECT_THAT(conf.error().msg, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Keys, NetConfRefuses,
    testing::Values(
        WrongKey{"NoName", {{"name", nullptr}}, "\"name\" is missing"},
        WrongKey{"NumberAsName", {{"name", 7}}, "\"name\": 7"},
        WrongKey{"EmptyName", {{"name", ""}}, "\"name\": \"\""},
        WrongKey{"PathAsName", {{"name", "../x"}}, "\"name\": \"../x\""},
        WrongKey{"LongName", {{"name", std::string(201, 'n')}}, "\"name\""},
        WrongKey{"UplinkAndGateway",
                 {{"bridge", "lan0"}, {"uplink", "eth1"}, {"isGateway", true}},
                 "\"uplink\" and \"isGateway\": true contradict"},
        WrongKey{"UplinkOfTheClustersBridge", {{"uplink", "eth1"}}, "needs a bridge of its own"},
        WrongKey{"NumberAsBridge", {{"bridge", 7}}, "\"bridge\": 7"},
        WrongKey{"EmptyBridge", {{"bridge", ""}}, "\"bridge\": \"\""},
        WrongKey{
            "LongBridge", {{"bridge", "sixteen-letters-"}}, "\"bridge\": \"sixteen-letters-\""},
        WrongKey{"PathAsBridge", {{"bridge", "a/b"}}, "\"bridge\": \"a/b\""},
        WrongKey{"PatternAsBridge", {{"bridge", "cni%d"}}, "\"bridge\": \"cni%d\""},
        WrongKey{"PercentInBridge", {{"bridge", "a%%b"}}, "\"bridge\": \"a%%b\""},
        WrongKey{"AllAsBridge", {{"bridge", "all"}}, "\"bridge\": \"all\""},
        WrongKey{"DefaultAsBridge", {{"bridge", "default"}}, "\"bridge\": \"default\""},
        WrongKey{"ItselfAsIpam", {{"ipam", {{"type", "kube-cni"}}}}, "is not another plugin"},
        WrongKey{"TextAsMtu", {{"mtu", "1500"}}, "\"mtu\": \"1500\""},
        WrongKey{"NegativeMtu", {{"mtu", -1}}, "\"mtu\": -1"},
        WrongKey{"FractionalMtu", {{"mtu", 1500.5}}, "\"mtu\": 1500.5"},
        WrongKey{"BooleanMtu", {{"mtu", true}}, "\"mtu\": true"},
        WrongKey{"ZeroMtu", {{"mtu", 0}}, "\"mtu\": 0"},
        WrongKey{"SmallMtu", {{"mtu", 575}}, "\"mtu\": 575"},
        WrongKey{"LargeMtu", {{"mtu", 65536}}, "\"mtu\": 65536"},
        WrongKey{"HugeMtu", {{"mtu", 4294968796}}, "\"mtu\": 4294968796"},
        WrongKey{"NumberAsDataplane", {{"dataplane", 7}}, "\"dataplane\": 7"},
        WrongKey{"UnknownDataplane",
                 {{"dataplane", "xdp"}},
                 "\"dataplane\": \"xdp\" is not one of \"auto\", \"ebpf\", \"bridge\""},
        WrongKey{"RelativeStateDir", {{"stateDir", "state"}}, "\"stateDir\": \"state\""},
        WrongKey{"NumberAsStateDir", {{"stateDir", 7}}, "\"stateDir\": 7"},
        WrongKey{"RelativeRunDir", {{"runDir", "./run"}}, "\"runDir\": \"./run\""},
        WrongKey{"EmptyBpffs", {{"bpffs", ""}}, "\"bpffs\": \"\""},
        WrongKey{"ListAsLogLevel", {{"logLevel", {"info"}}}, "\"logLevel\": an array is not"},
        WrongKey{"NumberAsSubnet", {{"subnet", 7}}, "\"subnet\": 7"},
        WrongKey{"AddressAsSubnet", {{"subnet", "10.200.0.0"}}, "CIDR notation"},
        WrongKey{"GarbageAsSubnet", {{"subnet", "usePodCidr"}}, "\"subnet\": \"usePodCidr\""},
        WrongKey{"SubnetWithHostBits",
                 {{"subnet", "10.200.0.7/24"}},
                 "host bits are set; did you mean \"10.200.0.0/24\"?"},
        WrongKey{"SubnetTwice",
                 {{"subnet", "10.200.0.0/24"}, {"ipam", {{"subnet", "10.200.0.0/24"}}}},
                 "\"subnet\" and \"ipam\" both say"},
        WrongKey{"SubnetOutsideNetwork",
                 {{"network", "10.200.0.0/16"}, {"subnet", "10.201.0.0/24"}},
                 "\"subnet\": 10.201.0.0/24 is outside \"network\" 10.200.0.0/16"},
        WrongKey{"SubnetLargerThanNetwork",
                 {{"network", "10.200.0.0/16"}, {"subnet", "10.0.0.0/8"}},
                 "\"subnet\": 10.0.0.0/8 is outside"},
        WrongKey{"GarbageAsNetwork", {{"network", "10.200.0.0/33"}}, "\"network\""},
        WrongKey{"IpamIsNoObject", {{"ipam", "host-local"}}, "\"ipam\": \"host-local\""},
        WrongKey{"IpamTypeIsAPath", {{"ipam", {{"type", "../sh"}}}}, "\"ipam.type\": \"../sh\""},
        WrongKey{"IsDefaultGatewayIsNumber", {{"isDefaultGateway", 1}}, "\"isDefaultGateway\""},
        WrongKey{"IsGatewayIsText", {{"isGateway", "yes"}}, "\"isGateway\""}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(NetConf, TakesTheSmallestAndTheLargestMtu) {
  EXPECT_EQ(parsed({{"mtu", 576}}).mtu, 576u);
  EXPECT_EQ(parsed({{"mtu", 65535}}).mtu, 65535u);
}

TEST(NetConf, KnowsWhetherTheDefaultRouteIsWantedRefusedOrNotSpokenOf) {
  EXPECT_EQ(parsed({{"isDefaultGateway", true}}).is_default_gateway, true);
  EXPECT_EQ(parsed({{"isDefaultGateway", false}}).is_default_gateway, false);
  EXPECT_EQ(parsed(json::object()).is_default_gateway, std::nullopt);
}

class NetConfVersion : public testing::TestWithParam<json> {};

TEST_P(NetConfVersion, IsRefusedWithTheListOfThoseThatAreSupported) {
  const auto conf = parse_net_conf(conf_text({{"cniVersion", GetParam()}}));

  ASSERT_FALSE(conf);
  EXPECT_EQ(conf.error().code, CniCode::kIncompatibleVersion);
  EXPECT_THAT(conf.error().details, HasSubstr("0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"));
}

INSTANTIATE_TEST_SUITE_P(Unsupported, NetConfVersion,
                         testing::Values("1.0", "1.0.1", "2.0.0", "v1.0.0", "", 1, 1.0,
                                         json::array({"1.0.0"})));

// libcni treats a configuration without a version as 0.1.0.
TEST(NetConf, IsOfVersion010WhenItHasNone) {
  const auto conf = parse_net_conf(R"({"name": "net", "type": "kube-cni"})");

  ASSERT_TRUE(conf);
  EXPECT_EQ(conf->cni_version, "0.1.0");
}

TEST(NetConf, SaysThatStandardInputIsEmpty) {
  for (const auto* text : {"", " ", "\n\t\r\n"}) {
    const auto conf = parse_net_conf(text);

    ASSERT_FALSE(conf);
    EXPECT_EQ(conf.error().code, CniCode::kDecode);
    EXPECT_THAT(conf.error().msg, HasSubstr("empty"));
  }
}

TEST(NetConf, RefusesWhatIsNoJsonObject) {
  for (const std::string text :
       {"garbage", "[]", "null", "7", "\"text\"", "{]", "{}{}", "{'name': 'net'}", "\xff\xfe",
        R"({"name": "caf)"
        "\xc3"
        R"("})"}) {
    const auto conf = parse_net_conf(text);

    ASSERT_FALSE(conf) << text;
    EXPECT_EQ(conf.error().code, CniCode::kDecode) << text;
    EXPECT_THAT(conf.error().details, HasSubstr(text)) << text;
  }
}

TEST(NetConf, RefusesWhatIsNestedTooDeepForTheStack) {
  const std::string nested = std::string(300000, '[') + std::string(300000, ']');
  for (const std::string key : {"x", "mtu", "cniVersion", "prevResult"}) {
    const std::string text =
        R"({"name": "net", "cniVersion": "1.0.0", ")" + key + "\": " + nested + "}";

    const auto conf = parse_net_conf(text);

    ASSERT_FALSE(conf) << key;
    EXPECT_EQ(conf.error().code, CniCode::kDecode) << key;
    EXPECT_EQ(cni_version_for_errors(text), "1.1.0") << key;
  }
}

TEST(NetConf, TakesWhatIsNestedAsRealResultsAre) {
  const std::string nested = std::string(20, '[') + std::string(20, ']');

  EXPECT_TRUE(parse_net_conf(conf_text({{"prevResult", json::parse(nested)}})));
}

TEST(NetConf, RefusesAConfigurationThatWasCutOffAtAnyByte) {
  const std::string whole = conf_text(
      {{"mtu", 1450}, {"subnet", "10.200.7.0/24"}, {"dns", {{"nameservers", {"192.0.2.53"}}}}});
  ASSERT_TRUE(parse_net_conf(whole));

  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto conf = parse_net_conf(whole.substr(0, length));

    ASSERT_FALSE(conf) << length;
    EXPECT_EQ(conf.error().code, CniCode::kDecode) << length;
  }
}

TEST(CniVersion, IsOrderedAsItWasPublished) {
  EXPECT_TRUE(is_at_least("1.1.0", "1.1.0"));
  EXPECT_TRUE(is_at_least("1.0.0", "0.4.0"));
  EXPECT_FALSE(is_at_least("0.3.1", "0.4.0"));
  EXPECT_FALSE(is_at_least("1.0.0", "1.1.0"));
}

TEST(CniVersion, DamagedConfigurationGetsTheNewest) {
  for (const auto* text : {"", "garbage", "[]", "{}", R"({"cniVersion": 7})",
                           R"({"cniVersion": "0.9.0"})", R"({"cniVersion": "1.0.0")"})
    EXPECT_EQ(cni_version_for_errors(text), "1.1.0") << text;
}

TEST(CniVersion, OtherwiseWrongConfigurationKeepsItsOwn) {
  EXPECT_EQ(cni_version_for_errors(R"({"cniVersion": "0.3.1", "name": 7})"), "0.3.1");
}

}  // namespace
}  // namespace kubecni::test
