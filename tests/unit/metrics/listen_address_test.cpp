#include "metrics/listen_address.hpp"

#include <gtest/gtest.h>

#include <string>

namespace kubecni::test {
namespace {

TEST(ListenAddressText, OfBothFamiliesIsReadAndWritten) {
  for (const char* text : {"127.0.0.1:9484", "0.0.0.0:0", "[::1]:9484", "[::]:65535"}) {
    const auto parsed = ListenAddress::parse(text);

    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->str(), text);
  }
}

TEST(ListenAddressText, ThatIsNoAddressWithAPortIsRefused) {
  for (const char* text :
       {"", ":", ":9484", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:9484x", "localhost:9484", "::1:9484", "[::1]", "[127.0.0.1]:9484", "[::1:9484"})
    EXPECT_FALSE(ListenAddress::parse(text)) << text;
}

}  // namespace
}  // namespace kubecni::test
