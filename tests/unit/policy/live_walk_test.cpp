#include "policy/live_walk.hpp"

#include "support/nft_listing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using L = NftListing;
using Parts = NftListing::Parts;

constexpr const char* kPod = "10.0.0.1";
constexpr const char* kPeer = "10.0.1.1";

/// The pod 10.0.0.1, with one rule of the test in its chain.
class LiveWalkTest : public testing::Test {
 protected:
  LiveWalkTest() {
    listing.add_map("ingress4", {{kPod, "in_14"}});
    listing.add_set("some", {"10.0.1.1", "10.0.1.2"});
    listing.add_rule("forward", {L::match({{"ct", {{"key", "direction"}}}}, 1), L::go("reply")});
    listing.add_rule("forward", {L::go("original")});
    listing.add_rule("original", {L::look_up(L::payload("ip", "daddr"), "ingress4")});
  }

  /// What the table says to a packet from `source`, if the chain allows `matches`.
  LiveVerdict judge(Parts matches, const std::string& source, std::uint16_t port = 80,
                    std::uint8_t protocol = IPPROTO_TCP) {
    return must_judge(std::move(matches), source, kPod, port, protocol).value();
  }

  Result<LiveVerdict> must_judge(Parts matches, const std::string& source, const std::string& to,
                                 std::uint16_t port = 80, std::uint8_t protocol = IPPROTO_TCP) {
    NftListing whole = listing;
    matches.push_back(L::verdict("return"));
    whole.add_rule("in_14", matches, "a/b#ingress0");
    whole.add_rule("in_14", {L::counted(1), L::verdict("drop")}, "no rule of a/b");
    const auto table = LiveTable::parse(whole.text()).value();
    return table.judge({.source = IpAddr::parse(source).value(),
                        .destination = IpAddr::parse(to).value(),
                        .protocol = protocol,
                        .port = port});
  }

  NftListing listing;
};

TEST_F(LiveWalkTest, NamesTheRuleThatLetsThePacketPassOrDropsIt) {
  const Parts rule{L::match(L::payload("ip", "saddr"), "@some")};

  const auto allowed = judge(rule, kPeer);
  EXPECT_TRUE(allowed.is_allowed);
  EXPECT_THAT(allowed.by, ElementsAre("in_14: a/b#ingress0"));

  const auto denied = judge(rule, "10.0.1.3");
  EXPECT_FALSE(denied.is_allowed);
  EXPECT_THAT(denied.by, ElementsAre("in_14: no rule of a/b"));
}

TEST_F(LiveWalkTest, ARejectedPacketIsDenied) {
  listing.add_rule("in_14", {L::counted(1), L::rejected()}, "no rule of a/c");

  const auto denied = judge({}, kPeer);

  EXPECT_FALSE(denied.is_allowed);
  EXPECT_THAT(denied.by, ElementsAre("in_14: no rule of a/c"));
}

TEST_F(LiveWalkTest, ARuleThatOnlyLogsDecidesNothing) {
  const Parts log{json{{"limit", "denied"}}, json{{"log", {{"prefix", "in_14"}, {"group", 84}}}}};
  listing.add_rule("in_14", log);

  EXPECT_TRUE(judge({L::match(L::payload("ip", "saddr"), "@some")}, kPeer).is_allowed);
  EXPECT_FALSE(judge({L::match(L::payload("ip", "saddr"), "@some")}, "10.0.1.3").is_allowed);
}

TEST_F(LiveWalkTest, APodThatIsNotInTheMapHasNoChain) {
  const auto verdict = must_judge({}, kPeer, "10.0.0.2").value();

  EXPECT_TRUE(verdict.is_allowed);
  EXPECT_THAT(verdict.by, ElementsAre());
}

TEST_F(LiveWalkTest, KnowsNetworksAndTheirExceptions) {
  const Parts rule{
      L::match(L::payload("ip", "saddr"), {{"prefix", {{"addr", "10.0.0.0"}, {"len", 8}}}}),
      L::match(L::payload("ip", "saddr"),
               {{"set", json::array({{{"range", {"10.3.0.0", "10.4.255.255"}}}, "10.5.0.1"})}},
               "!=")};

  EXPECT_TRUE(judge(rule, "10.2.255.255").is_allowed);
  EXPECT_FALSE(judge(rule, "10.3.0.0").is_allowed);
  EXPECT_FALSE(judge(rule, "10.4.255.255").is_allowed);
  EXPECT_FALSE(judge(rule, "10.5.0.1").is_allowed);
  EXPECT_FALSE(judge(rule, "192.0.2.1").is_allowed);
}

TEST_F(LiveWalkTest, KnowsPortsAndProtocols) {
  const Parts ports{
      L::match(L::payload("tcp", "dport"), {{"set", json::array({{{"range", {80, 90}}}, 100})}})};
  EXPECT_TRUE(judge(ports, kPeer, 80).is_allowed);
  EXPECT_TRUE(judge(ports, kPeer, 100).is_allowed);
  EXPECT_FALSE(judge(ports, kPeer, 91).is_allowed);
  EXPECT_FALSE(judge(ports, kPeer, 80, IPPROTO_UDP).is_allowed);

  const Parts protocol{L::match({{"meta", {{"key", "l4proto"}}}}, IPPROTO_SCTP)};
  EXPECT_TRUE(judge(protocol, kPeer, 80, IPPROTO_SCTP).is_allowed);
  EXPECT_FALSE(judge(protocol, kPeer, 80).is_allowed);
}

TEST_F(LiveWalkTest, ARuleOfAnotherFamilyIsNotForThePacket) {
  const Parts rule{L::match(L::payload("ip6", "saddr"), "2001:db8::1", "!=")};

  EXPECT_FALSE(judge(rule, kPeer).is_allowed);
}

TEST_F(LiveWalkTest, APairOfAddressesIsOneKey) {
  NftListing self;
  self.add_set("self4", json::array({{{"concat", {kPod, kPod}}}}));
  self.add_rule(
      "forward",
      {L::match({{"concat", {L::payload("ip", "saddr"), L::payload("ip", "daddr")}}}, "@self4"),
       L::verdict("accept")},
      "a pod reaches itself");
  self.add_rule("forward", {L::counted(0), L::verdict("drop")});
  const auto table = LiveTable::parse(self.text()).value();
  const auto pod = IpAddr::parse(kPod).value();

  EXPECT_TRUE(table.judge({.source = pod, .destination = pod}).value().is_allowed);
  EXPECT_FALSE(
      table.judge({.source = IpAddr::parse(kPeer).value(), .destination = pod}).value().is_allowed);
}

TEST_F(LiveWalkTest, TheBitOfWhatIsJudgedDecidesNothing) {
  const json mark{{"meta", {{"key", "mark"}}}};
  const json set{{"mangle", {{"key", mark}, {"value", {{"|", {mark, 33554432}}}}}}};
  listing.add_rule("original", {set});

  EXPECT_TRUE(judge({L::match(L::payload("ip", "saddr"), "@some")}, kPeer).is_allowed);
  EXPECT_FALSE(judge({L::match(L::payload("ip", "saddr"), "@some")}, "10.0.1.3").is_allowed);
  listing.add_rule("original", {set, L::verdict("drop")});
  EXPECT_FALSE(judge({}, kPeer).is_allowed);
}

TEST_F(LiveWalkTest, RefusesToGuessWhatSomebodyElseHasWritten) {
  const Parts rules[] = {
      {L::match({{"meta", {{"key", "mark"}}}}, 1)},
      {L::match(L::payload("ip", "ttl"), 1)},
      {L::match(L::payload("ip", "saddr"), "@nowhere")},
      {L::match(L::payload("ip", "saddr"), {{"prefix", 1}}, "<")},
      {json{{"queue", nullptr}}},
      {json{{"mangle", {{"key", {{"meta", {{"key", "priority"}}}}}, {"value", 1}}}}},
      {json{{"mangle", {{"key", {{"meta", {{"key", "mark"}}}}}, {"value", 0}}}}},
      {json{{"limit", {{"rate", 1}, {"per", "second"}}}}, L::verdict("drop")},
      {L::go("nowhere")},
      {L::go("forward")},
  };
  for (const Parts& rule : rules) {
    const auto verdict = must_judge(rule, kPeer, kPod);
    ASSERT_FALSE(verdict) << json(rule);
    EXPECT_EQ(verdict.error().code, ENOTSUP) << json(rule);
  }
}

}  // namespace
}  // namespace kubecni::test
