#include "k8s/delta_news.hpp"

#include "await.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using test::is_readable;

std::vector<Delta> added(const std::string& key) { return {{key, Change::kAdded}}; }

/// The keys in `news`, or a description of other news.
std::string keys(const std::optional<Result<std::vector<Delta>>>& news) {
  if (!news) return "no news";
  if (!*news) return "error: " + news->error().what;
  std::string all;
  for (const Delta& delta : **news) all += (all.empty() ? "" : " ") + delta.key;
  return all;
}

Error refused() { return {ECONNREFUSED, "refused"}; }

class DeltaNewsTest : public ::testing::Test {
 protected:
  DeltaNews news_ = std::move(*DeltaNews::create());
};

TEST_F(DeltaNewsTest, IsReadableUntilAllWasTaken) {
  news_.post(added("n1"));
  news_.post(refused());

  EXPECT_TRUE(is_readable(news_.fd()));
  EXPECT_EQ(keys(news_.take()), "n1");
  EXPECT_TRUE(is_readable(news_.fd()));
  EXPECT_EQ(keys(news_.take()), "error: refused");
  EXPECT_FALSE(is_readable(news_.fd()));
  EXPECT_EQ(keys(news_.take()), "no news");
}

TEST_F(DeltaNewsTest, EarlierPostsAreReportedAtOnce) {
  news_.post(added("n1"));
  news_.post(added("n2"));

  EXPECT_EQ(keys(news_.take()), "n1 n2");
  EXPECT_EQ(keys(news_.take()), "no news");
}

TEST_F(DeltaNewsTest, NothingIsToldTwice) {
  news_.post(added("n1"));
  news_.post(refused());
  news_.take();
  news_.take();

  news_.post(refused());

  EXPECT_FALSE(is_readable(news_.fd()));
}

TEST_F(DeltaNewsTest, TheEndOfAnErrorIsNews) {
  news_.post(added("n1"));
  news_.post(refused());
  news_.take();
  news_.take();

  news_.post(std::vector<Delta>());

  EXPECT_EQ(keys(news_.take()), "");
  news_.post(std::vector<Delta>());
  EXPECT_FALSE(is_readable(news_.fd()));
}

TEST_F(DeltaNewsTest, AnErrorThatIsOverBeforeItWasTakenIsDropped) {
  news_.post(refused());
  news_.post(added("n1"));

  EXPECT_EQ(keys(news_.take()), "n1");
  EXPECT_EQ(keys(news_.take()), "no news");
}

TEST_F(DeltaNewsTest, TheChangesOfOneObjectBecomeOne) {
  using enum Change;
  const auto told = [&](std::vector<Change> changes) {
    for (const Change change : changes) news_.post({{"n1", change}});
    return news_.take()->value();
  };
  const auto one = [](Change change) { return std::vector<Delta>{{"n1", change}}; };

  EXPECT_EQ(told({kAdded, kChanged}), one(kAdded));
  EXPECT_EQ(told({kChanged, kChanged}), one(kChanged));
  EXPECT_EQ(told({kChanged, kRemoved}), one(kRemoved));
  EXPECT_EQ(told({kRemoved, kAdded}), one(kChanged));
  EXPECT_EQ(told({kAdded, kRemoved}), std::vector<Delta>());
  EXPECT_EQ(told({kAdded, kRemoved, kAdded}), one(kAdded));
}

}  // namespace
}  // namespace kubecni
