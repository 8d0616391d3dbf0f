#include "config/plugin_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A value that is not the setting's default.
json another_value(const Setting& setting) {
  switch (setting.type) {
    case Type::kFlag:
      return true;
    case Type::kNumber:
      return setting.least;
    case Type::kPath:
      return "/elsewhere";
    case Type::kNetwork:
      return "192.0.2.0/24";
    case Type::kChoice:
      return std::string(setting.allowed.substr(setting.allowed.rfind('|') + 1));
    default:
      return "br7";
  }
}

/// The plugin's view of its settings, for comparison.
json contents(const PluginSettings& settings) {
  return {settings.bridge,
          settings.uplink,
          static_cast<int>(settings.mode),
          settings.mtu.value_or(0),
          static_cast<int>(settings.dataplane),
          settings.state_dir.string(),
          settings.run_dir.string(),
          settings.bpffs.string(),
          settings.max_flows,
          settings.conf_dir.string(),
          static_cast<int>(settings.pod_hooks),
          settings.log_level,
          settings.policy_timeout.count(),
          settings.subnet ? settings.subnet->str() : "",
          settings.is_default_gateway.has_value()};
}

TEST(PluginSettings, AreEachReadFromTheTable) {
  const json defaults = contents(read_plugin_settings(json::object()).value());
  for (const Setting& setting : kSettings) {
    // "network" is only compared with "subnet"; a gateway of ours is the default; an uplink needs
    // another bridge.
    if (!is_of_plugin(setting) || setting.type == Type::kOther || setting.key == "network" ||
        setting.key == "isGateway" || setting.key == "uplink")
      continue;

    const auto read = read_plugin_settings({{std::string(setting.key), another_value(setting)}});

    ASSERT_TRUE(read) << read.error().what;
    EXPECT_NE(contents(*read), defaults) << setting.key << " is not read";
  }
}

TEST(PluginSettings, WrongTypesAreRefusedByName) {
  for (const Setting& setting : kSettings) {
    if (!is_of_plugin(setting) || setting.type == Type::kOther) continue;

    const auto read = read_plugin_settings({{std::string(setting.key), json::array({1})}});

    ASSERT_FALSE(read) << setting.key;
    EXPECT_EQ(read.error().code, EINVAL);
    EXPECT_THAT(read.error().what, HasSubstr("\"" + std::string(setting.key) + "\""));
  }
}

TEST(PluginSettings, HaveTheDefaultsOfTheTable) {
  for (const Setting& setting : kSettings) {
    if (!is_of_plugin(setting) || setting.fallback.empty() || setting.type == Type::kOther)
      continue;

    const json value = setting.type == Type::kNumber ? json::parse(setting.fallback)
                                                     : json(std::string(setting.fallback));
    const auto read = read_plugin_settings({{std::string(setting.key), value}});

    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(contents(*read), contents(PluginSettings())) << setting.key;
  }
}

TEST(PluginSettings, KnowTheirKeys) {
  EXPECT_TRUE(is_plugin_key("mtu"));
  EXPECT_TRUE(is_plugin_key("ipam"));
  EXPECT_FALSE(is_plugin_key("ipam.ranges"));
  EXPECT_FALSE(is_plugin_key("routing"));
  EXPECT_FALSE(is_plugin_key("cniVersion"));
}

}  // namespace
}  // namespace kubecni::test
