#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>

namespace kubecni::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string logged_at(const std::string& level, const std::function<void()>& body) {
  testing::internal::CaptureStderr();
  const auto started = log::start("kube-test", level);
  body();
  std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(started);
  return lines;
}

/// The line after "msg=".
std::string value_logged_as(const std::string& value) {
  const auto line = logged_at("info", [&] { log::info("m", {{"key", value}}); });
  const auto start = line.find("msg=m ");
  return start == std::string::npos ? line : line.substr(start + 6);
}

TEST(Log, WritesOneLineWithTimeLevelProgramAndFields) {
  const auto line =
      logged_at("info", [] { log::warn("node skipped", {{"node", "n3"}, {"err", "no PodCIDR"}}); });

  EXPECT_THAT(line, testing::MatchesRegex("time=[0-9-]+T[0-9:.]+Z level=warn program=kube-test "
                                          "msg=\"node skipped\" node=n3 err=\"no PodCIDR\"\n"));
}

void log_all() {
  log::error("e");
  log::warn("w");
  log::info("i");
  log::debug("d");
}

class LogLevel : public testing::TestWithParam<const char*> {};

TEST_P(LogLevel, LetsItselfAndWhatIsWorseOut) {
  const std::vector<std::string> worst_first{"error", "warn", "info", "debug"};
  const auto last = std::ranges::find(worst_first, GetParam());

  const auto lines = logged_at(GetParam(), log_all);

  for (auto level = worst_first.begin(); level != worst_first.end(); ++level)
    EXPECT_EQ(lines.find("level=" + *level + " ") != std::string::npos, level <= last) << *level;
}

INSTANTIATE_TEST_SUITE_P(Level, LogLevel, testing::Values("error", "warn", "info", "debug"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(Log, QuotesWhatWouldNotBeOneWord) {
  EXPECT_EQ(value_logged_as("one-word/1.2:3"), "key=one-word/1.2:3\n");
  EXPECT_EQ(value_logged_as(""), "key=\"\"\n");
  EXPECT_EQ(value_logged_as("two words"), "key=\"two words\"\n");
  EXPECT_EQ(value_logged_as("a=b"), "key=\"a=b\"\n");
  EXPECT_EQ(value_logged_as("say \"no\""), "key=\"say \\\"no\\\"\"\n");
  EXPECT_EQ(value_logged_as("C:\\a b"), "key=\"C:\\\\a b\"\n");
}

TEST(Log, KeepsAnEventOnOneLineWhateverItsValues) {
  const auto line = logged_at("info", [] {
    log::info("first\nlevel=error msg=forged", {{"err", "a\r\nb\nc"}, {"reason", "d\re\x1b[2J"}});
  });

  EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
  EXPECT_THAT(line, EndsWith("\n"));
  EXPECT_THAT(line, Not(HasSubstr("\r")));
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
}

TEST(Log, TakesBracesForText) { EXPECT_EQ(value_logged_as("{}{0}%s%n"), "key={}{0}%s%n\n"); }

TEST(Log, RefusesAnUnknownLevel) {
  for (const char* level : {"", "off", "warning", "INFO", "trace"}) {
    const auto started = log::start("kube-test", level);

    ASSERT_FALSE(started) << level;
    EXPECT_EQ(started.error().code, EINVAL);
    EXPECT_THAT(started.error().what, HasSubstr("error, warn, info, debug"));
  }
}

}  // namespace
}  // namespace kubecni::test
