#include "base/subprocess.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

namespace kubecni::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

/// Runs a shell script that comes by standard input.
Result<SubprocessEnd> shell(const std::string& script, std::chrono::milliseconds deadline) {
  return run_subprocess({.program = "/bin/sh", .env = {}, .input = script, .deadline = deadline});
}

TEST(Subprocess, GetsItsInputAndItsOutputComesBack) {
  const std::string large(1 << 20, 'x');  // more than a pipe holds

  const auto end =
      run_subprocess({.program = "/bin/cat", .env = {}, .input = large, .deadline = seconds(10)});

  ASSERT_TRUE(end) << end.error().what;
  EXPECT_EQ(end->status, 0);
  EXPECT_EQ(end->out, large);
}

TEST(Subprocess, HasTheEnvironmentThatIsGivenAndNoOther) {
  const auto end = run_subprocess(
      {.program = "/usr/bin/env", .env = {"A=1"}, .input = "", .deadline = seconds(10)});

  ASSERT_TRUE(end) << end.error().what;
  EXPECT_EQ(end->out, "A=1\n");
}

TEST(Subprocess, GetsItsArgumentsAndItsErrorsAreTakenIfAskedFor) {
  const auto end = run_subprocess({.program = "/bin/sh",
                                   .args = {"-c", "echo \"$1\" >&2", "sh", "a b"},
                                   .env = {},
                                   .input = "",
                                   .deadline = seconds(10),
                                   .takes_errors = true});

  ASSERT_TRUE(end) << end.error().what;
  EXPECT_EQ(end->out, "a b\n");
}

TEST(Subprocess, HasNoneOfOurFiles) {
  const int ours = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC

  const auto end = shell("ls /proc/$$/fd", seconds(10));
  ::close(ours);

  ASSERT_TRUE(end) << end.error().what;
  EXPECT_EQ(end->out, "0\n1\n2\n");
}

TEST(Subprocess, TellsTheExitStatusAndTheSignal) {
  EXPECT_EQ(shell("exit 7", seconds(10)).value().status, 7);
  EXPECT_EQ(shell("kill -9 $$", seconds(10)).value().status, 128 + SIGKILL);
}

TEST(Subprocess, ThatHangsIsKilled) {
  const auto end = shell("exec sleep 60", std::chrono::milliseconds(50));

  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ETIMEDOUT);
  EXPECT_THAT(end.error().what, HasSubstr("/bin/sh did not end within 50 ms"));
}

TEST(Subprocess, ThatDoesNotExistIsAnError) {
  const auto end = run_subprocess(
      {.program = "/nowhere/program", .env = {}, .input = "", .deadline = seconds(10)});

  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ENOENT);
  EXPECT_THAT(end.error().what, HasSubstr("/nowhere/program"));
}

}  // namespace
}  // namespace kubecni::test
