#include "base/file_lock.hpp"

#include "support/eventually.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace kubecni::test {
namespace {

using std::chrono::milliseconds;

/// How many wait for the lock: "1: -> FLOCK  ADVISORY  WRITE 77 fe:00:1234 0 EOF".
int waiting_for(const std::filesystem::path& path) {
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0) return 0;
  const std::string inode = ":" + std::to_string(file.st_ino) + " ";
  std::ifstream locks("/proc/locks");
  int waiting = 0;
  for (std::string line; std::getline(locks, line);)
    if (line.contains("->") && line.contains(inode)) ++waiting;
  return waiting;
}

TEST(FileLock, IsRefusedWhileSomebodyHoldsIt) {
  const TempDir dir;
  const auto held = FileLock::acquire(dir / "lock", milliseconds(0));
  ASSERT_TRUE(held);

  const auto second = FileLock::acquire(dir / "lock", milliseconds(0));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ETIMEDOUT);
  EXPECT_THAT(second.error().what, testing::HasSubstr((dir / "lock").string()));
}

TEST(FileLock, WaitsAsLongAsItWasTold) {
  const TempDir dir;
  const auto held = FileLock::acquire(dir / "lock", milliseconds(0));
  ASSERT_TRUE(held);

  const auto start = std::chrono::steady_clock::now();
  const auto second = FileLock::acquire(dir / "lock", milliseconds(20));

  EXPECT_FALSE(second);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20));
}

TEST(FileLock, ComesToThoseWhoWaitInTurn) {
  const TempDir dir;
  auto held = std::optional(FileLock::acquire(dir / "lock", milliseconds(0)));
  ASSERT_TRUE(*held);
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::jthread> waiting;
  for (int i = 0; i < 8; ++i) {
    waiting.emplace_back([&, i] {
      const auto lock = FileLock::acquire(dir / "lock", std::chrono::seconds(10));
      const std::lock_guard guard(mutex);
      if (lock) order.push_back(i);
    });
    ASSERT_TRUE(eventually([&] { return waiting_for(dir / "lock") > i; }));
  }

  held.reset();
  waiting.clear();

  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(FileLock, IsFreeAgainWhenItsHolderIsGone) {
  const TempDir dir;
  auto first = std::optional(FileLock::acquire(dir / "lock", milliseconds(0)));
  ASSERT_TRUE(*first);

  first.reset();

  EXPECT_TRUE(FileLock::acquire(dir / "lock", milliseconds(0)));
}

TEST(FileLock, KnowsWhetherItsFileIsStillThere) {
  const TempDir dir;
  const auto held = FileLock::acquire(dir / "lock", milliseconds(0));
  ASSERT_TRUE(held);
  EXPECT_TRUE(held->is_at(dir / "lock"));

  std::filesystem::remove(dir / "lock");
  EXPECT_FALSE(held->is_at(dir / "lock"));
  const auto anew = FileLock::acquire(dir / "lock", milliseconds(0));

  EXPECT_TRUE(anew);
  EXPECT_FALSE(held->is_at(dir / "lock"));
}

TEST(FileLock, GoesWithAMoveToItsNewOwner) {
  const TempDir dir;
  auto first = std::optional(FileLock::acquire(dir / "lock", milliseconds(0)));
  ASSERT_TRUE(*first);

  const FileLock owner = std::move(**first);
  first.reset();

  EXPECT_FALSE(FileLock::acquire(dir / "lock", milliseconds(0)));
}

TEST(FileLock, IsReleasedByTheEndOfAProcessThatDidNotRelease) {
  const TempDir dir;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto held = FileLock::acquire(dir / "lock", milliseconds(0));
    ::_exit(held ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);

  EXPECT_TRUE(FileLock::acquire(dir / "lock", milliseconds(0)));
}

TEST(FileLock, LocksOneFileAndNotItsNeighbour) {
  const TempDir dir;
  const auto held = FileLock::acquire(dir / "lock", milliseconds(0));
  ASSERT_TRUE(held);

  EXPECT_TRUE(FileLock::acquire(dir / "other", milliseconds(0)));
}

TEST(FileLock, IsAnErrorWhereNoFileCanBe) {
  const TempDir dir;

  const auto lock = FileLock::acquire(dir / "absent" / "lock", milliseconds(0));

  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, ENOENT);
}

}  // namespace
}  // namespace kubecni::test
