#include "state/call_stats.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <numeric>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class CallStatsFile : public testing::Test {
 protected:
  [[nodiscard]] VerbStats read(std::size_t verb = 0) const {
    const auto stats = read_call_stats(run.path());
    if (!stats || !*stats) ADD_FAILURE() << (stats ? "nothing counted" : stats.error().what);
    return stats && *stats ? (**stats)[verb] : VerbStats{};
  }
  static std::uint64_t calls(const VerbStats& verb) {
    return std::accumulate(verb.by_duration.begin(), verb.by_duration.end(), std::uint64_t{0});
  }
  void put(const std::string& content) {
    ASSERT_TRUE(write_file_atomically(call_stats_path(run.path()), content));
  }

  TempDir run;
};

TEST_F(CallStatsFile, HoldsNothingBeforeTheFirstCall) {
  const auto stats = read_call_stats(run.path());

  ASSERT_TRUE(stats) << stats.error().what;
  EXPECT_FALSE(*stats);
}

TEST_F(CallStatsFile, CountsEachCallInTheClassOfItsDuration) {
  ASSERT_TRUE(count_call(run.path(), "ADD", 0, 2500us));  // a bound belongs to its class
  ASSERT_TRUE(count_call(run.path(), "ADD", 0, 2501us));
  ASSERT_TRUE(count_call(run.path(), "ADD", 0, 31s));

  const VerbStats add = read();
  EXPECT_EQ(add.by_duration[0], 1u);
  EXPECT_EQ(add.by_duration[1], 1u);
  EXPECT_EQ(add.by_duration.back(), 1u);
  EXPECT_EQ(add.total_ns, 31'005'001'000u);
  EXPECT_EQ(calls(read(1)), 0u) << "DEL";
}

TEST_F(CallStatsFile, CountsFailuresByTheirCode) {
  ASSERT_TRUE(count_call(run.path(), "STATUS", 50, 1ms));
  ASSERT_TRUE(count_call(run.path(), "STATUS", 4711, 1ms));  // of an IPAM plugin

  const VerbStats status = read(4);
  EXPECT_EQ(calls(status), 2u);
  EXPECT_EQ(status.by_code[9], 1u);
  EXPECT_EQ(status.by_code.back(), 1u);
  EXPECT_EQ(std::accumulate(status.by_code.begin(), status.by_code.end(), std::uint64_t{0}), 2u);
}

TEST_F(CallStatsFile, IsNotMadeForAVerbThatIsNotCounted) {
  EXPECT_TRUE(count_call(run.path(), "VERSION", 0, 1ms));

  EXPECT_NE(::access(call_stats_path(run.path()).c_str(), F_OK), 0);
}

TEST_F(CallStatsFile, NeedsTheRunFolderAndDoesNotMakeIt) {
  const auto counted = count_call(run / "absent", "ADD", 0, 1ms);

  ASSERT_FALSE(counted);
  EXPECT_EQ(counted.error().code, ENOENT);
  EXPECT_NE(::access((run / "absent").c_str(), F_OK), 0);
}

TEST_F(CallStatsFile, LosesNothingWhenManyProcessesCountAtOnce) {
  constexpr int kProcesses = 8;
  constexpr int kCalls = 200;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int call = 0; call < kCalls; ++call)
        if (!count_call(run.path(), "ADD", 11, 1us)) ::_exit(1);
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }

  const VerbStats add = read();
  EXPECT_EQ(calls(add), kProcesses * kCalls);
  EXPECT_EQ(add.by_code[8], kProcesses * kCalls);
  EXPECT_EQ(add.total_ns, kProcesses * kCalls * 1000u);
}

TEST_F(CallStatsFile, StaysReadableWhenProcessesAreKilledMeanwhile) {
  for (int i = 0; i < 100; ++i) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ready[0]);
      ::close(ready[1]);
      for (;;) std::ignore = count_call(run.path(), "ADD", 0, 1us);
    }
    ::close(ready[1]);
    char end = 0;
    ASSERT_EQ(::read(ready[0], &end, 1), 0);  // the child has begun
    ::close(ready[0]);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ASSERT_TRUE(read_call_stats(run.path()));
    ASSERT_TRUE(count_call(run.path(), "DEL", 0, 1us));
  }

  EXPECT_EQ(calls(read(1)), 100u);
}

TEST_F(CallStatsFile, FileOfAnotherBuildOrDamagedIsReportedAndReplaced) {
  ASSERT_TRUE(count_call(run.path(), "ADD", 0, 1ms));
  const std::string good = read_file(call_stats_path(run.path())).value();
  for (const std::string& bad : {good.substr(0, 100), good + "x", "other" + good.substr(5),
                                 std::string(1 << 20, 'x'), std::string("x")}) {
    put(bad);

    const auto stats = read_call_stats(run.path());
    ASSERT_FALSE(stats);
    EXPECT_EQ(stats.error().code, EBADMSG);
    EXPECT_THAT(stats.error().what, HasSubstr("plugin-stats"));

    ASSERT_TRUE(count_call(run.path(), "ADD", 0, 1ms));
    EXPECT_EQ(calls(read()), 1u);
  }
}

TEST_F(CallStatsFile, EmptyFileOfAKilledProcessIsUsed) {
  put("");
  EXPECT_FALSE(read_call_stats(run.path()).value());

  ASSERT_TRUE(count_call(run.path(), "ADD", 0, 1ms));

  EXPECT_EQ(calls(read()), 1u);
}

TEST_F(CallStatsFile, ThatIsNoFileIsAnError) {
  ASSERT_EQ(::mkdir(call_stats_path(run.path()).c_str(), 0700), 0);

  EXPECT_FALSE(count_call(run.path(), "ADD", 0, 1ms));
  EXPECT_FALSE(read_call_stats(run.path()));
}

}  // namespace
}  // namespace kubecni::test
