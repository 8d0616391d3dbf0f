#include "control/install/plugin_versions.hpp"

#include "support/eventually.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <future>
#include <thread>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

class PluginVersionsTest : public testing::Test {
 protected:
  /// Makes the plugin "partner" a shell script that counts how often it is called.
  void install(const std::string& body) {
    const auto path = bin_ / "partner";
    std::filesystem::remove(path);
    std::ofstream(path) << "#!/bin/sh\necho call >> " << calls().string() << "\n" << body << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  void install_speaking(const std::string& version) {
    install(R"(echo '{"cniVersion": "1.0.0", "supportedVersions": [")" + version + R"("]}')");
  }
  [[nodiscard]] std::filesystem::path calls() const { return scratch_ / "calls"; }
  [[nodiscard]] std::size_t count_calls() const {
    std::ifstream file(calls());
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) ++count;
    return count;
  }
  /// What is answered in the end.
  auto ask(std::chrono::seconds later = 0s) {
    for (;;) {
      auto answer = ask_once(later);
      if (answer || answer.error().code != EINPROGRESS) return answer;
      std::this_thread::sleep_for(1ms);
    }
  }
  Result<std::vector<std::string>> ask_once(std::chrono::seconds later = 0s) {
    return versions_.ask(bin_.path(), "partner", start_ + later);
  }

  TempDir bin_;
  TempDir scratch_;
  PluginVersions versions_;
  PluginVersions::Clock::time_point start_ = PluginVersions::Clock::now();
};

TEST_F(PluginVersionsTest, AProgramIsAskedOnce) {
  install_speaking("0.4.0");

  EXPECT_THAT(ask().value(), ElementsAre("0.4.0"));
  EXPECT_THAT(ask(1h).value(), ElementsAre("0.4.0"));
  EXPECT_EQ(count_calls(), 1u);
}

TEST_F(PluginVersionsTest, AnotherProgramIsAskedAgain) {
  install_speaking("0.4.0");
  ASSERT_TRUE(ask());

  install_speaking("1.0.0");

  EXPECT_THAT(ask().value(), ElementsAre("0.4.0")) << "while the new one is asked";
  EXPECT_TRUE(eventually([&] { return ask().value().at(0) == "1.0.0"; }));
}

TEST_F(PluginVersionsTest, OneThatIsNotThereIsNamed) {
  const auto answer = ask();

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ENOENT);
  EXPECT_EQ(answer.error().what, (bin_ / "partner").string() + " is not there");
}

TEST_F(PluginVersionsTest, OneThatMayNotBeExecutedIsNamed) {
  install_speaking("1.0.0");
  std::filesystem::permissions(bin_ / "partner", std::filesystem::perms::owner_read);

  EXPECT_THAT(ask().error().what, HasSubstr("may not be executed"));
}

TEST_F(PluginVersionsTest, OneThatHangsIsKilledAndAskedAgainAfterAMinute) {
  install("exec sleep 1000");
  versions_ = PluginVersions(200ms);

  const auto answer = ask();

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ETIMEDOUT);
  EXPECT_FALSE(ask(59s));
  EXPECT_EQ(count_calls(), 1u);
  EXPECT_FALSE(ask(60s));
  EXPECT_TRUE(eventually([&] { return count_calls() == 2; }));
}

TEST_F(PluginVersionsTest, NobodyWaitsForOneThatIsBeingAsked) {
  install("exec sleep 1000");
  std::promise<void> answered;
  versions_ = PluginVersions(200ms, [&answered] { answered.set_value(); });

  EXPECT_EQ(ask_once().error().code, EINPROGRESS);
  answered.get_future().wait();
  EXPECT_EQ(ask_once().error().code, ETIMEDOUT);
}

TEST_F(PluginVersionsTest, OneThatIsAskedAgainFailsAsBeforeMeanwhile) {
  install("exec sleep 1000");
  versions_ = PluginVersions(200ms);
  EXPECT_EQ(ask().error().code, ETIMEDOUT);

  EXPECT_EQ(ask_once(60s).error().code, ETIMEDOUT);
}

TEST_F(PluginVersionsTest, OneThatSpeaksGarbageIsRefusedWithWhatItSaid) {
  install("echo hello");

  const auto answer = ask();

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, EBADMSG);
  EXPECT_THAT(answer.error().what, HasSubstr("hello"));
}

TEST_F(PluginVersionsTest, OneThatFailsIsRefusedWithItsStatus) {
  install("echo broken; exit 7");

  EXPECT_THAT(ask().error().what, HasSubstr("status 7 and said: \"broken"));
}

TEST_F(PluginVersionsTest, OneThatGoesSpeaksForAnotherMinute) {
  install_speaking("0.4.0");
  ASSERT_TRUE(ask());
  std::filesystem::remove(bin_ / "partner");

  EXPECT_THAT(ask(59s).value(), ElementsAre("0.4.0"));
  EXPECT_FALSE(ask(60s));

  install_speaking("1.0.0");
  EXPECT_THAT(ask(61s).value(), ElementsAre("1.0.0"));
}

TEST(ParseVersions, TakesTextsAlone) {
  EXPECT_THAT(parse_versions(R"({"supportedVersions": ["1.0.0", 7, null]})").value(),
              ElementsAre("1.0.0"));
  for (const char* answer : {"", "[]", "{}", R"({"supportedVersions": "1.0.0"})",
                             R"({"supportedVersions": []})", "\xff"})
    EXPECT_EQ(parse_versions(answer).error().code, EBADMSG) << answer;
}

}  // namespace
}  // namespace kubecni::test
