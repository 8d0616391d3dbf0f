#include "config/settings_file.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(SettingsFile, HintsAtTheNearestKey) {
  EXPECT_EQ(hint_for("routnig", {"routing", "runDir"}), " (did you mean \"routing\"?)");
  EXPECT_EQ(hint_for("xyz", {"routing", "runDir"}), "");
  EXPECT_EQ(hint_for("", {}), "");
}

TEST(SettingsFile, MayNotHaveAKeyTwice) {
  EXPECT_TRUE(parse_settings(R"({"a": {"x": 1}, "b": {"x": 1}})"));
  EXPECT_FALSE(parse_settings(R"({"a": 1, "a": 2})"));
}

}  // namespace
}  // namespace kubecni::test
