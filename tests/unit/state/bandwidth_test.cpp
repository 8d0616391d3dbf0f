#include "state/bandwidth.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(Bandwidth, TellsARateInTheUnitThatSuitsIt) {
  EXPECT_EQ(rate_text(10'000'000), "10 Mbit/s");
  EXPECT_EQ(rate_text(1'500'000), "1500 kbit/s");
  EXPECT_EQ(rate_text(2'000'000'000), "2 Gbit/s");
  EXPECT_EQ(rate_text(1'000'000'000'000'000), "1000 Tbit/s");
  EXPECT_EQ(rate_text(1'234), "1234 bit/s");
  EXPECT_EQ(rate_text(0), "0 bit/s");
}

TEST(Bandwidth, TellsWhatIsLimited) {
  const RateLimit ten{.rate = 10'000'000}, one{.rate = 1'000'000};

  EXPECT_EQ((Bandwidth{.ingress = ten, .egress = one}).str(),
            "it receives 10 Mbit/s and sends 1 Mbit/s at most");
  EXPECT_EQ((Bandwidth{.ingress = ten, .egress = {}}).str(), "it receives 10 Mbit/s at most");
  EXPECT_EQ((Bandwidth{.ingress = {}, .egress = one}).str(), "it sends 1 Mbit/s at most");
  EXPECT_EQ(Bandwidth{}.str(), "");
}

}  // namespace
}  // namespace kubecni::test
