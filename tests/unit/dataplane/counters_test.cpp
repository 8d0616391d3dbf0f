#include "dataplane/counters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kubecni::test {
namespace {

TEST(ExitReasons, HaveNamesAndTextsOfTheirOwn) {
  std::set<std::string> names;
  std::set<std::string> texts;

  for (const auto& reason : kExitReasons) {
    names.insert(reason.name);
    texts.insert(reason.text);
  }

  EXPECT_EQ(names.size(), kExitReasons.size());
  EXPECT_EQ(texts.size(), kExitReasons.size());
  EXPECT_EQ(names.count("") + texts.count(""), 0u);
}

TEST(ExitReasons, SayInTheNameWhoHasThePacketNow) {
  for (const auto& reason : kExitReasons)
    EXPECT_THAT(reason.name, testing::MatchesRegex("(FAST|KERNEL|PASS|DROP)_[A-Z0-9_]+"));
}

// The name at a position is that of the key which the programs count under.
TEST(ExitReasons, StandAtTheirKeys) {
  EXPECT_STREQ(kExitReasons[KUBECNI_FAST_TO_LOCAL_POD].name, "FAST_TO_LOCAL_POD");
  EXPECT_STREQ(kExitReasons[KUBECNI_PASS_NO_NODE].name, "PASS_NO_NODE");
  EXPECT_STREQ(kExitReasons[KUBECNI_DROP_SPOOFED_ARP].name, "DROP_SPOOFED_ARP");
}

}  // namespace
}  // namespace kubecni::test
