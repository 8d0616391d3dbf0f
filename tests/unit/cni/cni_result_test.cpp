#include "cni_result.hpp"

#include "result_shape.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace kubecni::test {
namespace {

using nlohmann::json;

Attachment attachment() {
  return {
      .network = "net",
      .container_id = "abc",
      .netns = "/run/netns/../netns/pod",
      .pod = "shop/web",
      .port = {.bridge = "cni0",
               .host_ifname = "veth0123456789a",
               .host_mac = MacAddr::parse("0a:58:0a:c8:00:aa").value(),
               .pod_ifname = "eth0",
               .pod_mac = MacAddr::parse("0a:58:0a:c8:00:02").value(),
               .addresses = {{IpNet::parse("10.200.0.2/24").value(),
                              IpAddr::parse("10.200.0.1").value()}},
               .routes = {{IpNet::parse("0.0.0.0/0").value(), IpAddr::parse("10.200.0.1").value()}},
               .mtu = 1450}};
}

json result_of(const std::string& version) {
  NetConf conf;
  conf.cni_version = version;
  return add_result(conf, attachment(), upgrade_result(json::object()).value(), {}).value();
}

class AddResultOf : public testing::TestWithParam<std::string> {};

TEST_P(AddResultOf, IsOfTheVersionOfTheConfiguration) {
  EXPECT_EQ(result_of(GetParam()).at("cniVersion"), GetParam());
}

TEST_P(AddResultOf, ListsTheHostEndAndThePodEnd) {
  const json interfaces = result_of(GetParam()).at("interfaces");

  ASSERT_EQ(interfaces.size(), 2u);
  EXPECT_EQ(interfaces[0].at("name"), "veth0123456789a");
  EXPECT_EQ(interfaces[0].at("mac"), "0a:58:0a:c8:00:aa");
  EXPECT_FALSE(interfaces[0].contains("sandbox"));
  EXPECT_EQ(interfaces[1].at("name"), "eth0");
  EXPECT_EQ(interfaces[1].at("mac"), "0a:58:0a:c8:00:02");
}

TEST_P(AddResultOf, NamesTheSandboxAsTheRuntimeGaveIt) {
  EXPECT_EQ(result_of(GetParam()).at("interfaces").at(1).at("sandbox"), "/run/netns/../netns/pod");
}

TEST_P(AddResultOf, GivesTheAddressToAnInterfaceThatIsThePods) {
  const json result = result_of(GetParam());

  ASSERT_EQ(result.at("ips").size(), 1u);
  const json& ip = result["ips"][0];
  EXPECT_EQ(ip.at("address"), "10.200.0.2/24");
  EXPECT_EQ(ip.at("gateway"), "10.200.0.1");
  EXPECT_EQ(result["interfaces"].at(ip.at("interface").get<std::size_t>()).at("name"), "eth0");
}

TEST_P(AddResultOf, HasTheDefaultRouteByTheGateway) {
  EXPECT_EQ(result_of(GetParam()).at("routes"),
            json::parse(R"([{"dst": "0.0.0.0/0", "gw": "10.200.0.1"}])"));
}

TEST_P(AddResultOf, SaysTheIpVersionOnlyBefore100) {
  const bool before_1_0_0 = GetParam()[0] == '0';

  const json ip = result_of(GetParam()).at("ips").at(0);

  EXPECT_EQ(ip.value("version", "none"), before_1_0_0 ? "4" : "none");
}

TEST_P(AddResultOf, SaysTheMtuOnlySince110) {
  const int expected = GetParam() == "1.1.0" ? 1450 : -1;
  const json interfaces = result_of(GetParam()).at("interfaces");

  for (const json& interface : interfaces)
    EXPECT_EQ(interface.value("mtu", -1), expected) << interface;
}

INSTANTIATE_TEST_SUITE_P(Versions, AddResultOf,
                         testing::Values("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"));

TEST(AddResult, HandsTheDnsOfTheConfigurationOn) {
  NetConf conf;
  conf.cni_version = "1.0.0";
  conf.dns = {{"nameservers", {"192.0.2.53"}}, {"search", {"cluster.local"}}};

  const json previous{{"dns", {{"nameservers", {"192.0.2.54"}}}}};

  const json result =
      add_result(conf, attachment(), upgrade_result(previous).value(), json::object()).value();

  EXPECT_EQ(result.at("dns"), conf.dns);
}

TEST(VersionResult, EchoesAVersionThatItSpeaks) {
  for (const auto version : kSupportedVersions)
    EXPECT_EQ(version_result(json{{"cniVersion", version}}.dump()).at("cniVersion"), version);
}

TEST(VersionResult, IsOfTheNewestVersionForEveryOtherInput) {
  for (const auto* input : {"", "garbage", "[]", "{}", R"({"cniVersion": "9.9.9"})"})
    EXPECT_EQ(version_result(input).at("cniVersion"), "1.1.0") << input;
}

TEST(VersionResult, ListsAllVersions) {
  EXPECT_EQ(version_result("").at("supportedVersions"),
            json::parse(R"(["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])"));
}

TEST(CniErrorJson, HasTheKeysOfTheSpecification) {
  const CniError error{CniCode::kInvalidConfig, "what", "why"};

  EXPECT_EQ(error.to_json("0.4.0"),
            json::parse(R"({"cniVersion": "0.4.0", "code": 7, "msg": "what", "details": "why"})"));
}

TEST(CniErrorJson, HasNoDetailsWhenThereAreNone) {
  const CniError error{CniCode::kTryAgainLater, "what", ""};

  EXPECT_EQ(error.to_json("1.0.0"),
            json::parse(R"({"cniVersion": "1.0.0", "code": 11, "msg": "what"})"));
}

TEST(CniErrorJson, SaysWhatRightsAreMissing) {
  const CniResult<> refused = cni_error(Error{EPERM, "create veth: refused"}, "ADD");
  const CniResult<> other = cni_error(Error{ENODEV, "create veth: no device"}, "ADD");

  EXPECT_EQ(refused.error().code, CniCode::kSystem);
  EXPECT_EQ(refused.error().msg, "ADD: create veth: refused");
  EXPECT_THAT(refused.error().details, testing::HasSubstr("CAP_NET_ADMIN"));
  EXPECT_EQ(other.error().details, "");
}

}  // namespace
}  // namespace kubecni::test
