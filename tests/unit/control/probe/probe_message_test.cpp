#include "control/probe/probe_message.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kubecni::test {
namespace {

TEST(ProbeMessages, AreReadAsTheyWereWritten) {
  const ProbeMessage message{.is_answer = true,
                             .way = ProbeWay::kTunnel,
                             .nonce = {1, 2, 3, 255},
                             .flags = {.probes_v4 = true, .drops_forwarded = true}};

  EXPECT_EQ(decode_probe(encode(message)), message);
}

TEST(ProbeMessages, OfAnotherFormAreNone) {
  const ProbeBytes good = encode({});
  for (const std::size_t at : {0U, 7U, 8U, 9U}) {
    ProbeBytes bad = good;
    bad[at] = 99;
    EXPECT_FALSE(decode_probe(bad)) << at;
  }
  EXPECT_FALSE(decode_probe(std::span(good).first(31)));
  EXPECT_FALSE(decode_probe({}));
}

TEST(ProbeMessages, AreAsLongAsTheirAnswers) {
  EXPECT_EQ(encode({.is_answer = false}).size(), encode({.is_answer = true}).size());
}

TEST(ProbeAddress, IsOneThatNoPodGets) {
  EXPECT_EQ(probe_address_of(net("10.200.1.0/24")), addr("10.200.1.0"));
  EXPECT_EQ(probe_address_of(net("fd00:10:1::/64")), addr("fd00:10:1:0:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(probe_address_of(net("10.200.1.0/31")));
  EXPECT_FALSE(probe_address_of(net("fd00:10:1::/112")));
}

}  // namespace
}  // namespace kubecni::test
