#include "node_settings.hpp"

#include "base/file.hpp"
#include "state/node_info.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

class NodeSettingsTest : public testing::Test {
 protected:
  NodeSettingsTest() { conf_.state_dir = dir_.path(); }

  void learned(const std::vector<std::string>& cidrs, unsigned mtu) const {
    NodeInfo info{.name = "n1", .pod_cidrs = {}, .mtu = mtu};
    for (const auto& cidr : cidrs) info.pod_cidrs.push_back(IpNet::parse(cidr).value());
    ASSERT_TRUE(save_node_info(dir_.path(), info));
  }
  void configured(const std::string& subnet) { conf_.subnet = IpNet::parse(subnet); }

  TempDir dir_;
  NetConf conf_;
};

TEST_F(NodeSettingsTest, AreWhatTheDaemonLearned) {
  learned({"10.200.7.0/24"}, 1450);

  const auto settings = node_settings(conf_);

  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->pool_sets.at(0).at(0).subnet().str(), "10.200.7.0/24");
  EXPECT_EQ(settings->mtu, 1450u);
}

TEST_F(NodeSettingsTest, AreThoseOfTheConfigurationFirst) {
  learned({"10.200.7.0/24"}, 1450);
  configured("192.0.2.0/24");
  conf_.mtu = 9000;

  const auto settings = node_settings(conf_);

  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->pool_sets.at(0).at(0).subnet().str(), "192.0.2.0/24");
  EXPECT_EQ(settings->mtu, 9000u);
}

TEST_F(NodeSettingsTest, NeedNoDaemonWhenTheSubnetIsConfigured) {
  configured("192.0.2.0/24");

  const auto settings = node_settings(conf_);

  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->mtu, 1500u);
}

TEST_F(NodeSettingsTest, TakeTheFirstPodCidrOfEachFamilyInTheirOrder) {
  learned({"2001:db8::/64", "10.200.7.0/24", "10.200.8.0/24", "2001:db8:1::/64"}, 1500);

  const auto settings = node_settings(conf_);

  ASSERT_TRUE(settings);
  ASSERT_EQ(settings->pool_sets.size(), 2u);
  EXPECT_EQ(describe(settings->pool_sets[0]), "2001:db8::/64");
  EXPECT_EQ(describe(settings->pool_sets[1]), "10.200.7.0/24");
}

TEST_F(NodeSettingsTest, MayBeThereLaterWhileNobodyKnowsTheSubnet) {
  const auto settings = node_settings(conf_);

  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, CniCode::kTryAgainLater);
  EXPECT_THAT(settings.error().details, HasSubstr((dir_ / "node.json").string()));
}

TEST_F(NodeSettingsTest, MayBeOfIpv6Alone) {
  learned({"2001:db8::/64"}, 1500);

  const auto settings = node_settings(conf_);

  ASSERT_TRUE(settings);
  ASSERT_EQ(settings->pool_sets.size(), 1u);
  EXPECT_EQ(describe(settings->pool_sets[0]), "2001:db8::/64");
}

TEST_F(NodeSettingsTest, RefuseASubnetWithoutRoomForAPod) {
  configured("192.0.2.0/31");

  const auto settings = node_settings(conf_);

  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, CniCode::kInvalidConfig);
}

TEST_F(NodeSettingsTest, AreThoseOfTheRuntimeBeforeAllOthers) {
  configured("192.0.2.0/24");
  conf_.runtime_config = nlohmann::json::parse(
      R"({"ipRanges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9"}],
                       [{"subnet": "fd00::/64"}]]})");

  const auto settings = node_settings(conf_);

  ASSERT_TRUE(settings);
  ASSERT_EQ(settings->pool_sets.size(), 2u);
  EXPECT_EQ(settings->pool_sets[0].at(0).first().str(), "10.1.0.9");
  EXPECT_EQ(settings->pool_sets[1].at(0).subnet().str(), "fd00::/64");
}

TEST_F(NodeSettingsTest, NameTheRangeOfTheRuntimeThatIsWrong) {
  for (const auto* ranges : {R"({"ipRanges": 7})", R"({"ipRanges": [7]})", R"({"ipRanges": [[]]})",
                             R"({"ipRanges": [[{"subnet": "x"}]]})"}) {
    conf_.runtime_config = nlohmann::json::parse(ranges);

    const auto settings = node_settings(conf_);

    ASSERT_FALSE(settings) << ranges;
    EXPECT_EQ(settings.error().code, CniCode::kInvalidConfig);
    EXPECT_THAT(settings.error().msg, HasSubstr("runtimeConfig.ipRanges"));
  }
}

TEST_F(NodeSettingsTest, AreTheRangesOfIpam) {
  conf_.ipam = parse_ipam_conf(nlohmann::json::parse(
                                   R"({"ranges": [[{"subnet": "10.1.0.0/24"},
                                                   {"subnet": "10.2.0.0/24"}]]})"))
                   .value();

  EXPECT_EQ(describe(node_settings(conf_).value().pool_sets.at(0)), "10.1.0.0/24, 10.2.0.0/24");
}

TEST_F(NodeSettingsTest, RefuseRangesThatOverlap) {
  conf_.ipam = parse_ipam_conf(nlohmann::json::parse(
                                   R"({"ranges": [[{"subnet": "10.1.0.0/24"}],
                                                  [{"subnet": "10.1.0.0/16"}]]})"))
                   .value();

  EXPECT_EQ(node_settings(conf_).error().code, CniCode::kInvalidConfig);
}

TEST_F(NodeSettingsTest, DoNotNeedADamagedFileWhenTheSubnetIsConfigured) {
  ASSERT_TRUE(write_file_atomically(dir_ / "node.json", "{"));
  configured("192.0.2.0/24");

  EXPECT_TRUE(node_settings(conf_));
}

TEST_F(NodeSettingsTest, NameTheFileThatIsDamaged) {
  ASSERT_TRUE(write_file_atomically(dir_ / "node.json", "{"));

  const auto settings = node_settings(conf_);

  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().msg, HasSubstr((dir_ / "node.json").string()));
}

}  // namespace
}  // namespace kubecni::test
