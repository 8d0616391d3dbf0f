#include "k8s/file_node_source.hpp"

#include "await.hpp"
#include "base/file.hpp"
#include "support/temp_dir.hpp"
#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>

namespace kubecni {
namespace {

namespace fs = std::filesystem;
using test::await_names;
using test::is_readable;
using test::make_node;
using test::make_node_list;
using test::names;
using test::next_news;

std::string list_of(const std::string& name) {
  return make_node_list({make_node(name, "192.0.2.1", "10.1.0.0/24")}).dump();
}

/// Writes as a shell's `>` does: truncates, then fills the same file.
void write_in_place(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::trunc) << content;
}

class FileNodeSourceTest : public ::testing::Test {
 protected:
  std::unique_ptr<NodeSource> open() {
    auto source = FileNodeSource::open(path_);
    EXPECT_TRUE(source) << source.error().what;
    return std::move(*source);
  }

  test::TempDir dir_;
  fs::path path_ = dir_ / "nodes.json";
};

TEST_F(FileNodeSourceTest, TheFirstNewsIsTheContent) {
  write_in_place(path_, list_of("n1"));

  const auto source = open();

  EXPECT_EQ(names(next_news(*source)), "n1");
  EXPECT_FALSE(is_readable(source->fd()));
  EXPECT_EQ(names(test::taken(*source)), "no news");
  EXPECT_EQ(source->describe(), "file:" + path_.string());
}

TEST_F(FileNodeSourceTest, TheStatusSaysWhetherTheFileIsRead) {
  const auto source = open();
  EXPECT_FALSE(source->status().connected);
  EXPECT_FALSE(source->status().last_heard);

  write_in_place(path_, list_of("n1"));
  EXPECT_EQ(await_names(*source, "n1"), "n1");
  const auto good = source->status();
  write_in_place(path_, "{");
  const auto news = next_news(*source);
  const auto bad = source->status();

  EXPECT_TRUE(good.connected && good.last_heard && good.error.empty());
  EXPECT_FALSE(bad.connected);
  EXPECT_EQ(bad.last_heard, good.last_heard);
  ASSERT_TRUE(news && !*news);
  EXPECT_EQ(bad.error, news->error().what);
}

TEST_F(FileNodeSourceTest, AnUnchangedFileIsGoodNewsToo) {
  write_in_place(path_, list_of("n1"));
  const auto source = open();
  ASSERT_EQ(names(next_news(*source)), "n1");
  const auto before = source->status().last_heard;

  ASSERT_EQ(names(test::taken(*source)), "no news");

  EXPECT_GT(source->status().last_heard, before);
}

TEST_F(FileNodeSourceTest, AWriteInPlaceIsNoticed) {
  write_in_place(path_, list_of("n1"));
  const auto source = open();
  ASSERT_EQ(await_names(*source, "n1"), "n1");

  write_in_place(path_, list_of("n2"));

  EXPECT_EQ(await_names(*source, "n2"), "n2");
}

TEST_F(FileNodeSourceTest, ARenameOverTheFileIsNoticed) {
  write_in_place(path_, list_of("n1"));
  const auto source = open();
  ASSERT_EQ(await_names(*source, "n1"), "n1");

  ASSERT_TRUE(write_file_atomically(path_, list_of("n2")));

  EXPECT_EQ(await_names(*source, "n2"), "n2");
}

TEST_F(FileNodeSourceTest, ASwapOfTheConfigMapLinkIsNoticed) {
  fs::create_directory(dir_ / "..1");
  fs::create_directory(dir_ / "..2");
  write_in_place(dir_ / "..1" / "nodes.json", list_of("n1"));
  write_in_place(dir_ / "..2" / "nodes.json", list_of("n2"));
  fs::create_symlink("..1", dir_ / "..data");
  fs::create_symlink("..data/nodes.json", path_);
  const auto source = open();
  ASSERT_EQ(await_names(*source, "n1"), "n1");

  fs::create_symlink("..2", dir_ / "..data_tmp");
  fs::rename(dir_ / "..data_tmp", dir_ / "..data");

  EXPECT_EQ(await_names(*source, "n2"), "n2");
}

TEST_F(FileNodeSourceTest, AnAbsentFileIsAnErrorUntilItAppears) {
  const auto source = open();

  const auto absent = next_news(*source);
  ASSERT_TRUE(absent && !*absent);
  EXPECT_EQ(absent->error().code, ENOENT);
  write_in_place(path_, list_of("n1"));

  EXPECT_EQ(await_names(*source, "n1"), "n1");
}

TEST_F(FileNodeSourceTest, ADeletedFileIsAnErrorUntilItIsThereAgain) {
  write_in_place(path_, list_of("n1"));
  const auto source = open();
  ASSERT_EQ(await_names(*source, "n1"), "n1");

  fs::remove(path_);
  const auto deleted = next_news(*source);
  ASSERT_TRUE(deleted && !*deleted);
  EXPECT_EQ(deleted->error().code, ENOENT);
  write_in_place(path_, list_of("n1"));

  EXPECT_EQ(await_names(*source, "n1"), "n1");
}

TEST_F(FileNodeSourceTest, AHalfWrittenFileIsAnErrorUntilTheRestIsThere) {
  write_in_place(path_, list_of("n1"));
  const auto source = open();
  ASSERT_EQ(await_names(*source, "n1"), "n1");
  const std::string content = list_of("n2");

  std::ofstream writer(path_, std::ios::trunc);
  writer << content.substr(0, content.size() / 2) << std::flush;
  const auto half = next_news(*source);
  ASSERT_TRUE(half && !*half);
  EXPECT_EQ(half->error().code, EINVAL);
  writer << content.substr(content.size() / 2) << std::flush;

  EXPECT_EQ(await_names(*source, "n2"), "n2");
}

TEST_F(FileNodeSourceTest, TheSameContentAgainIsNoNews) {
  write_in_place(path_, list_of("n1"));
  const auto source = open();
  ASSERT_EQ(await_names(*source, "n1"), "n1");

  ASSERT_TRUE(write_file_atomically(path_, list_of("n1")));

  EXPECT_TRUE(is_readable(source->fd(), test::kDeadline));
  EXPECT_EQ(names(test::taken(*source)), "no news");
}

TEST_F(FileNodeSourceTest, ADirectoryThatWasReplacedIsWatchedAgain) {
  path_ = dir_ / "sub" / "nodes.json";
  fs::create_directory(dir_ / "sub");
  write_in_place(path_, list_of("n1"));
  const auto source = open();
  ASSERT_EQ(await_names(*source, "n1"), "n1");

  fs::remove_all(dir_ / "sub");
  fs::create_directory(dir_ / "sub");
  ASSERT_EQ(names(next_news(*source)).substr(0, 6), "error:");
  write_in_place(path_, list_of("n2"));

  EXPECT_EQ(await_names(*source, "n2"), "n2");
}

TEST_F(FileNodeSourceTest, WithoutADirectoryThereIsNoSource) {
  const auto source = FileNodeSource::open(dir_ / "missing" / "nodes.json");

  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, ENOENT);
}

}  // namespace
}  // namespace kubecni
