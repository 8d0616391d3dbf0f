#include "control/probe/probe_table.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <functional>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

ProbeNonce count_up() {
  static std::uint32_t last = 0;
  ++last;
  ProbeNonce nonce{};
  for (std::size_t i = 0; i < 4; ++i) nonce[i] = static_cast<std::uint8_t>(last >> (8 * i));
  return nonce;
}

ProbeTarget near(unsigned number) {
  const std::string text = std::to_string(number);
  return {.node = "n" + text,
          .address = addr("10.200.0.0").plus(std::uint64_t{number} << 8),
          .node_address = addr("192.0.2.0").plus(number),
          .by_tunnel = false,
          .direct = ProbeTarget::Direct{2, addr("192.0.2.0").plus(number)},
          .tunnel = ProbeTarget::Tunnel{addr("192.0.2.0").plus(number), {}}};
}

ProbeTarget far(unsigned number) {
  ProbeTarget target = near(number);
  target.by_tunnel = true;
  target.direct.reset();
  return target;
}

/// A table and a network that answers what `answers` says.
class ProbeTableTest : public testing::Test {
 protected:
  using Answers = std::function<bool(ProbeWay)>;

  void run(std::chrono::milliseconds time, const Answers& answers,
           ProbeFlags flags = {.probes_v4 = true}) {
    for (const auto end = now + time; now < end; now += ProbeTable::kTick) {
      for (auto& [target, message] : table.ask(now)) {
        ++asked;
        if (!answers(message.way)) continue;
        ProbeMessage answer = message;
        answer.is_answer = true;
        answer.flags = flags;
        const bool is_node = message.way == ProbeWay::kNode;
        EXPECT_TRUE(
            table.take_answer(answer, is_node ? target->node_address : target->address, now));
      }
    }
  }
  [[nodiscard]] ProbeReport report(bool drops = false) const {
    return table.report({.drops_forwarded = drops, .probe_port = 8484, .tunnel_port = 8472});
  }
  [[nodiscard]] std::string cause(bool drops = false) const {
    const auto found = report(drops);
    return found.findings.empty() ? "" : found.findings.front().cause;
  }

  static bool all(ProbeWay) { return true; }
  static bool none(ProbeWay) { return false; }
  static bool node_alone(ProbeWay way) { return way == ProbeWay::kNode; }
  static bool tunnel_alone(ProbeWay way) { return way == ProbeWay::kTunnel; }
  static bool node_and_tunnel(ProbeWay way) {
    return way == ProbeWay::kNode || way == ProbeWay::kTunnel;
  }

  ProbeTable table{count_up};
  ProbeTable::Clock::time_point now{1h};
  unsigned asked = 0;
};

TEST_F(ProbeTableTest, SomebodyWhoAnswersIsFine) {
  table.set_targets({near(1)});

  run(10s, all);

  EXPECT_EQ(report().answering, 1U);
  EXPECT_TRUE(report().findings.empty());
  EXPECT_LE(asked, 8U);
}

TEST_F(ProbeTableTest, SomebodyIsSilentAfterThreeLossesAndBackAfterTwoAnswers) {
  table.set_targets({far(1)});
  run(5s, all);

  run(2s, none);
  EXPECT_EQ(report().silent, 0U);
  run(8s, none);
  EXPECT_EQ(report().silent, 1U);
  run(12s, all);
  EXPECT_EQ(report().silent, 0U);
  EXPECT_EQ(report().answering, 1U);
}

TEST_F(ProbeTableTest, WhoNeverAnsweredMayNotKnowHow) {
  table.set_targets({far(1), far(2)});

  run(30s, none);

  EXPECT_EQ(report().unknown, 2U);
  EXPECT_EQ(report().silent, 0U);
  EXPECT_THAT(cause(), HasSubstr("older version"));
}

TEST_F(ProbeTableTest, WhoSaysThatItCouldAnswerIsSilent) {
  table.set_targets({far(1)});

  run(30s, node_alone);

  EXPECT_EQ(report().silent, 1U);
}

TEST_F(ProbeTableTest, WhoSaysThatItCannotIsUnknown) {
  table.set_targets({far(1)});

  run(30s, node_alone, {.probes_v6 = true});

  EXPECT_EQ(report().silent, 0U);
  EXPECT_THAT(cause(), HasSubstr("does not test IPv4"));
}

TEST_F(ProbeTableTest, NamesTheLikelyCause) {
  table.set_targets({far(1)});
  run(5s, all);
  run(20s, node_alone);
  EXPECT_THAT(cause(), HasSubstr("UDP port 8472 is closed"));
  EXPECT_THAT(cause(true), HasSubstr("firewall of this node"));
  run(20s, node_alone, {.probes_v4 = true, .drops_forwarded = true});
  EXPECT_THAT(cause(), HasSubstr("firewall of that node"));
  run(20s, none);
  EXPECT_THAT(cause(), HasSubstr("the node is down"));
}

TEST_F(ProbeTableTest, GoesOverToTheTunnelAndBackWithoutFlapping) {
  table.set_targets({near(1)});
  run(5s, all);

  run(20s, node_and_tunnel);
  ASSERT_TRUE(report().detours.contains({"n1", AF_INET}));
  ProbeTarget detoured = near(1);
  detoured.by_tunnel = true;
  table.set_targets({detoured});
  const auto without_direct = [](ProbeWay way) { return way != ProbeWay::kDirect; };
  run(60s, without_direct);
  EXPECT_TRUE(report().detours.contains({"n1", AF_INET}));
  EXPECT_EQ(report().answering, 1U);
  EXPECT_THAT(cause(), HasSubstr("drops packets with pods' addresses"));

  run(20s, all);
  EXPECT_TRUE(report().detours.empty());

  // The second time it stays longer.
  table.set_targets({near(1)});
  run(10s, node_and_tunnel);
  ASSERT_FALSE(report().detours.empty());
  table.set_targets({detoured});
  run(12s, all);
  EXPECT_FALSE(report().detours.empty());
  run(20s, all);
  EXPECT_TRUE(report().detours.empty());
}

TEST_F(ProbeTableTest, EndsADetourThatDoesNotHelp) {
  table.set_targets({near(1)});
  run(5s, all);
  run(20s, node_and_tunnel);
  ASSERT_FALSE(report().detours.empty());
  ProbeTarget detoured = near(1);
  detoured.by_tunnel = true;
  table.set_targets({detoured});

  run(60s, node_and_tunnel);
  EXPECT_TRUE(report().detours.empty());

  table.set_targets({near(1)});
  run(5min, node_and_tunnel);
  EXPECT_TRUE(report().detours.empty());
}

TEST_F(ProbeTableTest, GoesOverToTheTunnelWhereTheNodeItselfNeverAnswers) {
  table.set_targets({near(1)});

  run(30s, tunnel_alone);

  ASSERT_TRUE(report().detours.contains({"n1", AF_INET}));
  EXPECT_TRUE(report().findings.front().is_node_up);
}

TEST_F(ProbeTableTest, StaysOnTheDetourOfAnEarlierProcess) {
  ProbeTarget detoured = near(1);
  detoured.by_tunnel = true;
  table.set_targets({detoured});

  ASSERT_TRUE(report().detours.contains({"n1", AF_INET}));
  EXPECT_THAT(text_of(report().findings.front()), HasSubstr("are reached through the tunnel"));
  run(30s, [](ProbeWay way) { return way != ProbeWay::kDirect; });
  EXPECT_TRUE(report().detours.contains({"n1", AF_INET}));
  EXPECT_EQ(report().answering, 1U);
  run(30s, all);
  EXPECT_TRUE(report().detours.empty());
}

TEST_F(ProbeTableTest, StaysDirectWhileAnswersComeAgain) {
  table.set_targets({near(1)});
  run(5s, all);
  run(20s, node_alone);
  ASSERT_EQ(report().silent, 1U);

  bool is_lost = false;
  run(30s, [&](ProbeWay way) {
    if (way == ProbeWay::kPods) is_lost = !is_lost;
    return way != ProbeWay::kPods || !is_lost;
  });

  EXPECT_TRUE(report().detours.empty());
}

TEST_F(ProbeTableTest, TellsAFirewallFromAMissingRoute) {
  table.set_targets({far(1)});
  run(5s, all);
  run(20s, node_alone);
  const auto refuse = [&](bool is_firewall, const IpAddr& by) {
    for (int i = 0; i < 20; ++i, now += ProbeTable::kTick)
      for (auto& [target, message] : table.ask(now))
        table.take_refusal(message, {.by = by, .is_firewall = is_firewall});
  };

  refuse(true, far(1).address);
  EXPECT_THAT(cause(), Not(HasSubstr("refuses")));
  refuse(true, addr("10.200.1.1"));
  EXPECT_THAT(cause(), HasSubstr("a firewall refuses it: 10.200.1.1"));
  refuse(false, addr("10.200.1.1"));
  run(5s, node_alone);
  EXPECT_THAT(cause(), HasSubstr("10.200.1.1 answers with an ICMP error that it has no way"));
}

TEST_F(ProbeTableTest, AForgedErrorChangesNothing) {
  table.set_targets({far(1)});
  run(5s, all);
  run(20s, node_alone);
  const ProbeRefusal refusal{.by = addr("10.200.1.1"), .is_firewall = true};
  bool was_asked = false;
  for (int i = 0; i < 40; ++i, now += ProbeTable::kTick)
    for (auto& [target, message] : table.ask(now)) {
      was_asked = was_asked || message.way == ProbeWay::kPods;
      ProbeMessage guessed = message;
      guessed.nonce[5] ^= 1;
      table.take_refusal(guessed, refusal);
      ProbeMessage other_way = message;
      other_way.way = message.way == ProbeWay::kPods ? ProbeWay::kNode : ProbeWay::kPods;
      table.take_refusal(other_way, refusal);
    }

  ASSERT_TRUE(was_asked);
  EXPECT_THAT(cause(), Not(HasSubstr("ICMP")));
}

// Whoever sees the questions on the wire can send errors that fit.
TEST_F(ProbeTableTest, AnErrorThatFitsMakesNobodySilentWhoAnswers) {
  table.set_targets({far(1)});
  run(5s, all);
  for (int i = 0; i < 100; ++i, now += ProbeTable::kTick)
    for (auto& [target, message] : table.ask(now)) {
      table.take_refusal(message, {.by = addr("10.200.1.1"), .is_firewall = true});
      ProbeMessage answer = message;
      answer.is_answer = true;
      answer.flags = {.probes_v4 = true};
      EXPECT_TRUE(table.take_answer(answer, target->address, now));
    }

  EXPECT_EQ(report().answering, 1U);
  EXPECT_TRUE(report().findings.empty());
}

TEST_F(ProbeTableTest, AnErrorAboutAnAnsweredQuestionSaysNothing) {
  table.set_targets({far(1)});
  const auto questions = table.ask(now);
  ASSERT_FALSE(questions.empty());
  const ProbeMessage question = questions.front().message;
  ProbeMessage answer = question;
  answer.is_answer = true;
  ASSERT_TRUE(table.take_answer(answer, far(1).address, now));
  const auto version = table.version();

  table.take_refusal(question, {.by = addr("10.200.1.1"), .is_firewall = true});

  EXPECT_EQ(table.version(), version);
}

TEST_F(ProbeTableTest, DoesNotSayDownOfWhomItCannotAsk) {
  ProbeTarget target = far(1);
  target.can_ask_node = false;
  table.set_targets({target});
  run(5s, all);

  run(20s, none);

  EXPECT_EQ(report().silent, 1U);
  EXPECT_THAT(cause(), HasSubstr("it is not known why"));
}

TEST_F(ProbeTableTest, StaysDirectWhereTheTunnelDoesNotGetThroughEither) {
  table.set_targets({near(1)});
  run(5s, all);

  run(60s, node_alone);

  EXPECT_TRUE(report().detours.empty());
  EXPECT_EQ(report().silent, 1U);
}

TEST_F(ProbeTableTest, AForgedAnswerCountsForNothing) {
  table.set_targets({far(1), far(2)});
  const auto asked_now = table.ask(now);
  ASSERT_FALSE(asked_now.empty());
  const ProbeMessage question = asked_now.front().message;
  ProbeMessage answer = question;
  answer.is_answer = true;

  ProbeMessage guessed = answer;
  guessed.nonce[5] ^= 1;
  EXPECT_FALSE(table.take_answer(guessed, asked_now.front().target->address, now));
  EXPECT_FALSE(table.take_answer(answer, addr("10.200.1.7"), now));
  ProbeMessage other_way = answer;
  other_way.way = ProbeWay::kDirect;
  EXPECT_FALSE(table.take_answer(other_way, asked_now.front().target->address, now));
  EXPECT_EQ(report().answering, 0U);
  EXPECT_TRUE(table.take_answer(answer, asked_now.front().target->address, now));
  EXPECT_FALSE(table.take_answer(answer, asked_now.front().target->address, now));
  EXPECT_EQ(report().answering, 1U);
}

TEST_F(ProbeTableTest, SaysAtOnceWhatIsWrongAndNotWhoAnswersForTheFirstTime) {
  std::vector<ProbeTarget> targets;
  for (unsigned i = 1; i <= 100; ++i) targets.push_back(near(i));
  table.set_targets(targets);
  const auto first = table.version();

  run(30s, all);
  EXPECT_EQ(report().answering, 100U);
  EXPECT_EQ(table.version(), first);

  run(60s, none);
  const auto silent = table.version();
  EXPECT_NE(silent, first);
  EXPECT_GT(report().silent, 0U);

  run(10min, all);
  EXPECT_EQ(report().answering, 100U);
  EXPECT_NE(table.version(), silent);
}

TEST_F(ProbeTableTest, OnlyNodesAreAnswered) {
  table.set_targets({far(1)});

  EXPECT_NE(table.find_asker(far(1).address, ProbeWay::kPods), nullptr);
  EXPECT_EQ(table.find_asker(far(1).address, ProbeWay::kNode), nullptr);
  EXPECT_NE(table.find_asker(far(1).node_address, ProbeWay::kNode), nullptr);
  EXPECT_EQ(table.find_asker(addr("10.200.1.5"), ProbeWay::kPods), nullptr);

  // It may choose another of its addresses to ask from.
  ProbeTarget target = far(1);
  target.node_addresses = {addr("2001:db8::1"), target.node_address};
  table.set_targets({target});
  EXPECT_NE(table.find_asker(addr("2001:db8::1"), ProbeWay::kNode), nullptr);
}

TEST_F(ProbeTableTest, AsksNoMoreASecondHoweverManyThereAre) {
  std::vector<ProbeTarget> targets;
  for (unsigned i = 1; i <= 5'000; ++i) targets.push_back(near(i));
  table.set_targets(targets);

  run(60s, all);
  EXPECT_LE(asked, 60U * 4);
  asked = 0;
  run(60s, none);
  EXPECT_LE(asked, 60U * (4 + 8) * 3);
}

TEST_F(ProbeTableTest, AsksWhoStaysSilentMoreRarely) {
  table.set_targets({near(1)});
  run(5s, all);
  run(300s, none);
  asked = 0;

  run(64s, none);

  EXPECT_LE(asked, 5U * 3);
  EXPECT_GE(asked, 3U * 3);
  run(20s, all);
  EXPECT_EQ(report().answering, 1U);
}

TEST_F(ProbeTableTest, KeepsWhatItKnowsWhenNodesComeAndGo) {
  table.set_targets({far(1), far(2)});
  run(10s, all);
  table.set_targets({far(2), far(3)});

  EXPECT_EQ(report().answering, 1U);
  EXPECT_EQ(report().unknown, 1U);
}

}  // namespace
}  // namespace kubecni::test
