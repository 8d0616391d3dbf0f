#include "dataplane/counters.hpp"

#include "support/programs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

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

TEST(ExitReasons, HaveTheVerdictThatTheNamePromises) {
  for (const auto& reason : kExitReasons) {
    const std::string_view name = reason.name;
    const bool is_sent_on = name.starts_with("FAST_") && !name.starts_with("FAST_SENT_");
    EXPECT_EQ(reason.verdict, name.starts_with("DROP_") ? KUBECNI_VERDICT_DROP
                              : is_sent_on              ? KUBECNI_VERDICT_REDIRECT
                                                        : KUBECNI_VERDICT_PASS)
        << name;
  }
}

// What to_pod, to_wire and to_tunnel see has taken the kernel path, which decides. They drop only
// what it should have judged and has not.
TEST(ExitReasons, WatchingProgramsPassWhatNetfilterHasJudged) {
  for (const Program& hook : {kToPod, kToWire, kToTunnel}) {
    for (const auto& reason : kExitReasons) {
      if ((reason.programs & hook.bit) == 0) continue;
      EXPECT_EQ(reason.verdict, reason.name == std::string("DROP_NOT_JUDGED")
                                    ? KUBECNI_VERDICT_DROP
                                    : KUBECNI_VERDICT_PASS)
          << reason.name << " by " << hook.name;
    }
  }
}

// The name at a position must belong to the key that the programs use.
TEST(ExitReasons, StandAtTheirKeys) {
  EXPECT_STREQ(kExitReasons[KUBECNI_FAST_TO_LOCAL_POD].name, "FAST_TO_LOCAL_POD");
  EXPECT_STREQ(kExitReasons[KUBECNI_PASS_NO_NODE].name, "PASS_NO_NODE");
  EXPECT_STREQ(kExitReasons[KUBECNI_DROP_SPOOFED_ARP].name, "DROP_SPOOFED_ARP");
}

}  // namespace
}  // namespace kubecni::test
