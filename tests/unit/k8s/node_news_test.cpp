#include "k8s/node_news.hpp"

#include "await.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using test::is_readable;
using test::names;

NodeSnapshot snapshot_of(const std::string& name) {
  return {.nodes = {Node{.name = name, .internal_ips = {}, .pod_cidrs = {}}}, .skipped = {}};
}

Error refused() { return {ECONNREFUSED, "refused"}; }

class NodeNewsTest : public ::testing::Test {
 protected:
  NodeNews news_ = std::move(*NodeNews::create());
};

TEST_F(NodeNewsTest, IsReadableUntilAllWasTaken) {
  news_.post(snapshot_of("n1"));
  news_.post(refused());

  EXPECT_TRUE(is_readable(news_.fd()));
  EXPECT_EQ(names(news_.take()), "n1");
  EXPECT_TRUE(is_readable(news_.fd()));
  EXPECT_EQ(names(news_.take()), "error: refused");
  EXPECT_FALSE(is_readable(news_.fd()));
  EXPECT_EQ(names(news_.take()), "no news");
}

TEST_F(NodeNewsTest, OnlyTheNewestSnapshotIsKept) {
  news_.post(snapshot_of("n1"));
  news_.post(snapshot_of("n2"));

  EXPECT_EQ(names(news_.take()), "n2");
  EXPECT_EQ(names(news_.take()), "no news");
}

TEST_F(NodeNewsTest, NothingIsToldTwice) {
  news_.post(snapshot_of("n1"));
  news_.post(refused());
  news_.take();
  news_.take();

  news_.post(refused());

  EXPECT_FALSE(is_readable(news_.fd()));
}

TEST_F(NodeNewsTest, TheSameSnapshotAfterAnErrorIsNews) {
  news_.post(snapshot_of("n1"));
  news_.post(refused());
  news_.take();
  news_.take();

  news_.post(snapshot_of("n1"));

  EXPECT_EQ(names(news_.take()), "n1");
}

TEST_F(NodeNewsTest, AnErrorThatIsOverBeforeItWasTakenIsDropped) {
  news_.post(refused());
  news_.post(snapshot_of("n1"));

  EXPECT_EQ(names(news_.take()), "n1");
  EXPECT_EQ(names(news_.take()), "no news");
}

}  // namespace
}  // namespace kubecni
