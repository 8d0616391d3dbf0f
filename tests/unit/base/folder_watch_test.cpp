#include "base/folder_watch.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <poll.h>

#include <cerrno>
#include <fstream>

namespace kubecni::test {
namespace {

bool is_readable(const FolderWatch& watch) {
  pollfd event{.fd = watch.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&event, 1, 0) == 1;
}

class FolderWatchTest : public testing::Test {
 protected:
  TempDir folder_;
  FolderWatch watch_ = FolderWatch::open().value();
};

TEST_F(FolderWatchTest, TellsOfEachKindOfChangeOnce) {
  ASSERT_TRUE(watch_.watch(folder_.path()));
  ASSERT_FALSE(watch_.drain());
  const auto path = folder_ / "file";

  ASSERT_TRUE(write_file_atomically(path, "one"));
  EXPECT_TRUE(is_readable(watch_));
  EXPECT_TRUE(watch_.drain());
  EXPECT_FALSE(is_readable(watch_));

  ASSERT_TRUE(write_setting(path, "two"));
  EXPECT_TRUE(watch_.drain());

  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  EXPECT_TRUE(watch_.drain());

  ASSERT_TRUE(delete_file(path));
  EXPECT_TRUE(watch_.drain());
}

TEST_F(FolderWatchTest, OfNamesTellsOnlyOfFilesThatComeAndGo) {
  ASSERT_TRUE(watch_.watch_names(folder_.path()));
  const auto path = folder_ / "file";

  std::ofstream(path) << "half";
  EXPECT_FALSE(watch_.drain()) << "it is being written";

  ASSERT_TRUE(write_file_atomically(path, "one"));
  EXPECT_TRUE(watch_.drain());
  ASSERT_TRUE(delete_file(path));
  EXPECT_TRUE(watch_.drain());
}

TEST_F(FolderWatchTest, ReadingAndWatchingAgainAreNoChanges) {
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "one"));
  ASSERT_TRUE(watch_.watch(folder_.path()));
  ASSERT_TRUE(read_file(folder_ / "file"));

  ASSERT_TRUE(watch_.watch(folder_.path()));

  EXPECT_FALSE(watch_.drain());
}

TEST_F(FolderWatchTest, RecreatedFolderIsWatchedAfterAnotherCall) {
  const auto path = folder_ / "inner";
  ASSERT_TRUE(ensure_directory(path));
  ASSERT_TRUE(watch_.watch(path));
  std::filesystem::remove_all(path);
  ASSERT_TRUE(ensure_directory(path));
  ASSERT_TRUE(watch_.drain());

  ASSERT_TRUE(watch_.watch(path));

  ASSERT_TRUE(write_file_atomically(path / "file", "one"));
  EXPECT_TRUE(watch_.drain());
}

TEST_F(FolderWatchTest, WakeMakesItReadable) {
  watch_.wake();

  EXPECT_TRUE(is_readable(watch_));
  EXPECT_TRUE(watch_.drain());
}

TEST_F(FolderWatchTest, AFolderThatIsNotThereIsRefused) {
  const auto watched = watch_.watch(folder_ / "absent");

  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().code, ENOENT);
}

}  // namespace
}  // namespace kubecni::test
