#include "base/file.hpp"

#include "base/unique_fd.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777u : 0;
}

class Umask {
 public:
  explicit Umask(unsigned mask) : old_(::umask(static_cast<mode_t>(mask))) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(old_); }

 private:
  mode_t old_;
};

/// As on a full disk, a file cannot grow over `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limited{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_signal_);
  }

 private:
  rlimit old_{};
  void (*old_signal_)(int);
};

TEST(WriteFileAtomically, MakesTheFileWithExactlyThatContent) {
  const TempDir dir;
  const std::string content("two\nlines, and a NUL: \0.", 24);

  ASSERT_TRUE(write_file_atomically(dir / "file", content));

  EXPECT_EQ(read_file(dir / "file"), content);
  EXPECT_THAT(list_directory(dir.path()).value(), ElementsAre("file"));
}

TEST(WriteFileAtomically, ReplacesLongerContent) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "file", "a long line of old content"));

  ASSERT_TRUE(write_file_atomically(dir / "file", "new"));

  EXPECT_EQ(read_file(dir / "file"), "new");
}

TEST(WriteFileAtomically, LeavesTheOldContentToThoseWhoHaveItOpen) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "file", "old"));
  const UniqueFd reader(::open((dir / "file").c_str(), O_RDONLY | O_CLOEXEC));

  ASSERT_TRUE(write_file_atomically(dir / "file", "new"));

  EXPECT_EQ(read_all(reader.get(), 100), "old");
}

TEST(UpdateFile, WritesOnlyWhatTheFileHasNot) {
  const TempDir dir;
  for (const char* content : {"old", "", "longer"}) {
    ASSERT_TRUE(update_file(dir / "file", content));
    EXPECT_EQ(read_file(dir / "file"), content);
    const auto before = identify(dir / "file");

    ASSERT_TRUE(update_file(dir / "file", content));

    EXPECT_TRUE(before.value() == identify(dir / "file").value()) << content;
  }
}

TEST(WriteFileAtomically, GivesTheModeWhateverTheUmask) {
  const TempDir dir;
  for (const unsigned mask : {0u, 022u, 0777u}) {
    const Umask umask(mask);

    ASSERT_TRUE(write_file_atomically(dir / "secret", "x", 0600));
    ASSERT_TRUE(write_file_atomically(dir / "public", "x", 0644));

    EXPECT_EQ(mode_of(dir / "secret"), 0600u) << "umask " << mask;
    EXPECT_EQ(mode_of(dir / "public"), 0644u) << "umask " << mask;
  }
}

TEST(WriteFileAtomically, KeepsTheOldContentWhenTheNewDoesNotFit) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "file", "old"));

  Result<> written;
  {
    const FileSizeLimit limit(4096);
    written = write_file_atomically(dir / "file", std::string(10000, 'x'));
  }

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, EFBIG);
  EXPECT_EQ(read_file(dir / "file"), "old");
  EXPECT_THAT(list_directory(dir.path()).value(), ElementsAre("file"));
}

TEST(WriteFileAtomically, LeavesNoTemporaryFileWhereItCannotReplace) {
  const TempDir dir;
  ASSERT_TRUE(ensure_directory(dir / "file" / "child"));

  const auto written = write_file_atomically(dir / "file", "new");

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, EISDIR);
  EXPECT_THAT(list_directory(dir.path()).value(), ElementsAre("file"));
}

TEST(WriteFileAtomically, NamesThePathThatItCouldNotCreate) {
  const TempDir dir;

  const auto written = write_file_atomically(dir / "absent" / "file", "new");

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ENOENT);
  EXPECT_THAT(written.error().what, HasSubstr((dir / "absent").string()));
}

TEST(ReadFile, TakesAFileOfTheLimitAndNoByteMore) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "fits", std::string(1000, 'x')));
  ASSERT_TRUE(write_file_atomically(dir / "over", std::string(1001, 'x')));

  const auto fits = read_file(dir / "fits", 1000);
  const auto over = read_file(dir / "over", 1000);

  EXPECT_EQ(fits, std::string(1000, 'x'));
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, EFBIG);
  EXPECT_THAT(over.error().what, HasSubstr((dir / "over").string()));
}

TEST(ReadFile, ReadsMoreThanOneBuffer) {
  const TempDir dir;
  std::string content;
  for (int i = 0; i < 20000; ++i) content += std::to_string(i);
  ASSERT_TRUE(write_file_atomically(dir / "file", content));

  EXPECT_EQ(read_file(dir / "file"), content);
}

TEST(ReadFile, StopsAnEndlessFileAtTheLimit) {
  const auto read = read_file("/dev/zero", 1 << 20);

  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, EFBIG);
}

TEST(ReadFile, NamesTheFileThatIsAbsent) {
  const TempDir dir;

  const auto read = read_file(dir / "absent");

  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ENOENT);
  EXPECT_THAT(read.error().what, HasSubstr((dir / "absent").string()));
}

TEST(WriteSetting, OverwritesInPlaceAndCreatesNothing) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "setting", "0"));

  const auto written = write_setting(dir / "setting", "1");
  const auto absent = write_setting(dir / "absent", "1");

  EXPECT_TRUE(written);
  EXPECT_EQ(read_file(dir / "setting"), "1");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ENOENT);
  EXPECT_THAT(list_directory(dir.path()).value(), ElementsAre("setting"));
}

TEST(EnsureDirectory, CreatesParentsAndMayBeRepeated) {
  const TempDir dir;

  ASSERT_TRUE(ensure_directory(dir / "a" / "b" / "c"));
  const auto again = ensure_directory(dir / "a" / "b" / "c");

  EXPECT_TRUE(again);
  EXPECT_TRUE(std::filesystem::is_directory(dir / "a" / "b" / "c"));
}

TEST(EnsureDirectory, FailsBelowAFile) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "file", ""));

  const auto made = ensure_directory(dir / "file" / "a");

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ENOTDIR);
}

TEST(DeleteFile, RemovesAFileAndTakesAnAbsentOneForDone) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "file", ""));

  const auto first = delete_file(dir / "file");
  const auto second = delete_file(dir / "file");

  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_THAT(list_directory(dir.path()).value(), IsEmpty());
}

TEST(DeleteFile, SaysWhatItCouldNotRemove) {
  const TempDir dir;
  ASSERT_TRUE(ensure_directory(dir / "folder"));

  const auto deleted = delete_file(dir / "folder");

  ASSERT_FALSE(deleted);
  EXPECT_THAT(deleted.error().what, HasSubstr((dir / "folder").string()));
  EXPECT_TRUE(std::filesystem::exists(dir / "folder"));
}

TEST(ListDirectory, SortsTheNames) {
  const TempDir dir;
  for (const char* name : {"b", "c", ".hidden", "a"})
    ASSERT_TRUE(write_file_atomically(dir / name, ""));

  EXPECT_THAT(list_directory(dir.path()).value(), ElementsAre(".hidden", "a", "b", "c"));
}

TEST(ListDirectory, HasNothingOfAnAbsentDirectory) {
  const TempDir dir;

  const auto names = list_directory(dir / "absent");

  ASSERT_TRUE(names);
  EXPECT_THAT(*names, IsEmpty());
}

TEST(ListDirectory, FailsOnAFile) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "file", ""));

  const auto names = list_directory(dir / "file");

  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().code, ENOTDIR);
}

}  // namespace
}  // namespace kubecni::test
