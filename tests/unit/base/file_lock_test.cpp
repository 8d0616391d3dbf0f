#include "base/file_lock.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

namespace kubecni::test {
namespace {

using std::chrono::milliseconds;

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
