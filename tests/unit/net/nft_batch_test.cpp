#include "net/nft_batch.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;

TEST(NftFields, AreFilledUpToFourBytesEach) {
  EXPECT_THAT(NftFields().add_protocol(17).add_port(0x1234).bytes(),
              ElementsAre(17, 0, 0, 0, 0x12, 0x34, 0, 0));
  EXPECT_THAT(NftFields().add(addr("192.0.2.1")).add_protocol(6).bytes(),
              ElementsAre(192, 0, 2, 1, 6, 0, 0, 0));
  EXPECT_EQ(NftFields().add(addr("2001:db8::1")).add_port(1).bytes().size(), 20u);
}

TEST(NftBatch, WithoutACommandAsksNothingOfTheKernel) {
  NftBatch batch("none");
  batch.add_elements("set", {});
  batch.delete_elements("set", {});

  EXPECT_TRUE(batch.is_empty());
  EXPECT_TRUE(batch.commit("nothing"));
}

}  // namespace
}  // namespace kubecni::test
