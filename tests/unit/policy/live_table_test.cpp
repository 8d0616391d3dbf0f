#include "policy/live_table.hpp"

#include "support/nft_listing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

TEST(LiveTable, NamesTheRulesThatCountWhatTheyDropOrReject) {
  NftListing listing;
  listing.add_rule("in_14", {NftListing::counted(5), NftListing::verdict("drop")},
                   "no rule of a/b");
  listing.add_rule("eg_14", {NftListing::counted(6), NftListing::rejected()}, "no rule of a/c");
  listing.add_rule("in_14", {NftListing::counted(7), NftListing::verdict("return")}, "counts only");
  listing.add_rule("in_14", {NftListing::verdict("drop")}, "drops only");

  const auto table = LiveTable::parse(listing.text()).value();

  EXPECT_THAT(table.drops(), testing::ElementsAre(DropCounter{"in_14", "no rule of a/b", 5},
                                                  DropCounter{"eg_14", "no rule of a/c", 6}));
}

TEST(LiveTable, DoesNotExistWithoutAChain) {
  const auto table = LiveTable::parse(R"({"nftables": [{"metainfo": {}}]})").value();

  EXPECT_FALSE(table.exists());
  EXPECT_TRUE(table.judge({}).value().is_allowed);
}

TEST(LiveTable, RefusesWhatIsNoListing) {
  for (const char* text : {"", "{}", "[]", R"({"nftables": 1})"})
    EXPECT_EQ(LiveTable::parse(text).error().code, EBADMSG) << text;
}

}  // namespace
}  // namespace kubecni::test
