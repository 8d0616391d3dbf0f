#include "policy/denied_packets.hpp"

#include "support/nft_listing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(DeniedPacketsOfATable, AreThoseOfAllFormsOfAChainTogether) {
  NftListing listing;
  const auto add = [&](const std::string& chain, std::uint64_t packets, const std::string& why) {
    listing.add_rule(chain, {NftListing::counted(packets), NftListing::verdict("drop")}, why);
  };
  add("in_14", 1, "no rule of a/b, a/c");
  add("in_14r", 2, "no rule of a/b, a/c");
  add("in_16", 4, "no rule of a/b, a/c");
  add("in_16r", 8, "no rule of a/b, a/c");
  add("eg_44", 16, "no rule of a/b");
  add("judge", 32, "policy not known");
  add("judge", 64, "policy not known");
  add("judge", 128, "to many");

  EXPECT_THAT(denied_packets(LiveTable::parse(listing.text()).value()),
              testing::ElementsAre(DeniedPackets{"eg_4", "egress", "a/b", 16},
                                   DeniedPackets{"in_1", "ingress", "a/b, a/c", 15},
                                   DeniedPackets{"judge", "any", "policy not known", 96},
                                   DeniedPackets{"judge", "any", "to many", 128}));
}

}  // namespace
}  // namespace kubecni::test
