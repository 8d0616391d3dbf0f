// Checksum offload of a device, as ethtool sees it.

#include "net/offload.hpp"

#include "link_pair.hpp"

#include <cerrno>

namespace kubecni::test {
namespace {

class Offload : public LinkPair {};

TEST_F(Offload, IsSwitchedOffAndOnAgain) {
  here.enter([&] {
    ASSERT_TRUE(must(has_tx_checksum_offload("eth0")));

    ASSERT_TRUE(ok(set_tx_checksum_offload("eth0", false)));
    EXPECT_FALSE(must(has_tx_checksum_offload("eth0")));
    ASSERT_TRUE(ok(set_tx_checksum_offload("eth0", false)));
    EXPECT_FALSE(must(has_tx_checksum_offload("eth0")));

    ASSERT_TRUE(ok(set_tx_checksum_offload("eth0", true)));
    EXPECT_TRUE(must(has_tx_checksum_offload("eth0")));
  });
}

TEST_F(Offload, TellsWhatCannotBeDone) {
  here.enter([&] {
    const auto absent = has_tx_checksum_offload("nothere");
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code, ENODEV);
    EXPECT_THAT(absent.error().what, testing::StartsWith("read: tx-checksumming of nothere"));

    const auto too_long = set_tx_checksum_offload("a-name-of-16-bytes", false);
    ASSERT_FALSE(too_long);
    EXPECT_EQ(too_long.error().code, ENODEV);

    const auto fixed = set_tx_checksum_offload("lo", false);
    ASSERT_FALSE(fixed);
    EXPECT_EQ(fixed.error().code, EOPNOTSUPP);
  });
}

}  // namespace
}  // namespace kubecni::test
