#include "base/text.hpp"

#include "base/ip.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace kubecni {
namespace {

TEST(Text, JoinsWordsAndWhatHasATextOfItsOwn) {
  EXPECT_EQ(joined(std::vector<std::string>{}), "");
  EXPECT_EQ(joined(std::vector<std::string>{"a", "b"}), "a, b");
  EXPECT_EQ(joined(std::vector{*IpAddr::parse("192.0.2.1"), *IpAddr::parse("2001:db8::1")}, "; "),
            "192.0.2.1; 2001:db8::1");
}

}  // namespace
}  // namespace kubecni
