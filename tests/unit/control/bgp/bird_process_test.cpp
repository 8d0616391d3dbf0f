#include "control/bgp/bird_process.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BirdProcessTest : public testing::Test {
 protected:
  /// A program in the place of BIRD.
  [[nodiscard]] BirdProcess with(const std::string& script) const {
    EXPECT_TRUE(write_file_atomically(dir.path() / "program", "#!/bin/sh\n" + script, 0755));
    return BirdProcess(run_dir.path(), dir.path() / "program");
  }

  TempDir dir;
  TempDir run_dir;
};

TEST_F(BirdProcessTest, ConfigurationThatBirdTakesIsForRootAlone) {
  auto bird = with("exit 0\n");

  ASSERT_TRUE(bird.replace_config("password"));

  EXPECT_EQ(bird.config(), "password");
  struct stat status{};
  ASSERT_EQ(::stat((run_dir.path() / "bird.conf").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(BirdProcessTest, ConfigurationThatBirdRefusesLeavesTheLastOne) {
  ASSERT_TRUE(with("exit 0\n").replace_config("good"));
  auto bird = with("echo 'line 3: syntax error' >&2; exit 1\n");

  const auto replaced = bird.replace_config("bad");

  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, EINVAL);
  EXPECT_THAT(replaced.error().what, HasSubstr("line 3: syntax error"));
  EXPECT_EQ(bird.config(), "good");
  EXPECT_THAT(list_directory(run_dir.path()).value(), ElementsAre("bird.conf"));
}

TEST_F(BirdProcessTest, WithoutBirdTheErrorNamesIt) {
  BirdProcess bird(run_dir.path(), "/nowhere/bird");

  const auto replaced = bird.replace_config("text");

  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, ENOENT);
  EXPECT_THAT(replaced.error().what, HasSubstr("/nowhere/bird"));
}

TEST_F(BirdProcessTest, StartTellsWhatBirdSays) {
  auto bird = with("echo 'bird: I found another BIRD running.' >&2; exit 1\n");

  const auto started = bird.start(false);

  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("start BIRD: bird: I found another BIRD running."));
  EXPECT_FALSE(bird.is_connected());
}

TEST_F(BirdProcessTest, ThatNeverRanIsStopped) {
  auto bird = with("exit 0\n");

  EXPECT_FALSE(bird.has_files());
  EXPECT_TRUE(bird.stop());
}

TEST_F(BirdProcessTest, LeavesNoFileBehind) {
  auto bird = with("exit 0\n");
  ASSERT_TRUE(bird.replace_config("text"));
  ASSERT_TRUE(bird.has_files());

  EXPECT_TRUE(bird.remove_files());

  EXPECT_FALSE(bird.has_files());
  EXPECT_THAT(list_directory(run_dir.path()).value(), testing::IsEmpty());
}

}  // namespace
}  // namespace kubecni::test
