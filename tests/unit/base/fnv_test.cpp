#include "base/fnv.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

// The values of http://www.isthe.com/chongo/tech/comp/fnv/.
TEST(Fnv, IsWhatItsAuthorsSay) {
  EXPECT_EQ(fnv1a<std::uint32_t>(""), 0x811c9dc5U);
  EXPECT_EQ(fnv1a<std::uint32_t>("foobar"), 0xbf9cf968U);
  EXPECT_EQ(fnv1a<std::uint64_t>(""), 0xcbf29ce484222325U);
  EXPECT_EQ(fnv1a<std::uint64_t>("foobar"), 0x85944171f73967e8U);
}

}  // namespace
}  // namespace kubecni
