// The log of denied packets: `policyLog`.

#include "control/policy/denied_log.hpp"
#include "policy_nodes.hpp"

#include <csignal>
#include <sstream>
#include <thread>

namespace kubecni::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Pods 0 and 2 are on one node, in the namespaces x and z. Nobody may send to those of x.
class PolicyLogTest : public PolicyTest {
 protected:
  PolicyLogTest() : PolicyTest({"ebpf", "direct", {"--policy-log", "on"}}) {
    for (std::size_t i = 0; i < 3; ++i) add_pod(i);
    write(closing("x"));
    if (!eventually([&] { return has_rules(); }))
      throw std::runtime_error("the table does not log");
  }

  [[nodiscard]] bool has_rules() const {
    const std::string rules = cluster.a.must_run({"nft", "list", "ruleset"});
    return rules.contains("log prefix \"in_") && rules.contains(": jump in_");
  }

  /// The lines about denied packets of the first node's daemon.
  std::vector<std::string> lines() {
    std::istringstream all(cluster.daemon_a->err());
    std::vector<std::string> found;
    for (std::string line; std::getline(all, line);)
      if (line.find("packet denied by network policy") != std::string::npos) found.push_back(line);
    return found;
  }
};

TEST_F(PolicyLogTest, NamesBothPodsAndThePolicy) {
  for (const int family : {AF_INET, AF_INET6}) {
    const std::size_t before = lines().size();

    send({2, 0, family, "TCP", kFirstPort}, next_id_++);

    ASSERT_TRUE(eventually([&] { return lines().size() > before; })) << cluster.daemon_a->err();
    EXPECT_THAT(lines().back(),
                AllOf(HasSubstr(" from=z/pod2(" + address_of(2, family) + ") to=x/pod0(" +
                                address_of(0, family) + ") protocol=TCP port=80 "),
                      HasSubstr(" policies=x/closed direction=ingress")));
  }
}

TEST_F(PolicyLogTest, TheToolsUnderstandItsRules) {
  EXPECT_THAT(verdict("z/pod2", "x/pod0"),
              testing::ContainsRegex("table +denied .*no rule of x/closed"));
  EXPECT_THAT(verdict("x/pod0", "z/pod2"), testing::ContainsRegex("table +allowed"));
}

TEST_F(PolicyLogTest, APodCannotFloodIt) {
  constexpr std::size_t kPackets = 300;
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t before = dropped();

  for (std::size_t i = 0; i < kPackets; ++i) send({2, 0, AF_INET, "UDP", kFirstPort}, next_id_++);
  ASSERT_TRUE(eventually([&] { return dropped() - before >= kPackets; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));

  const auto seconds =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
  EXPECT_GE(lines().size(), 10u);
  EXPECT_LE(lines().size(), 25u + 10u * static_cast<std::size_t>(seconds.count()));
}

TEST_F(PolicyLogTest, WithoutAReaderTheTableEnforcesAllTheSame) {
  ASSERT_EQ(differences(PolicyOracle(closing("x"))), "");
  cluster.daemon_a->signal(SIGKILL);
  cluster.daemon_a->wait();

  EXPECT_EQ(differences(PolicyOracle(closing("x"))), "");

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  EXPECT_TRUE(eventually([&] {
    send({2, 0, AF_INET, "TCP", kFirstPort}, next_id_++);
    return !lines().empty();
  })) << cluster.daemon_a->err();
}

TEST_F(PolicyLogTest, IfSomebodyElseListensTheDaemonSaysSo) {
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  std::optional<PacketLog> other;
  cluster.a.netns.enter([&] { other.emplace(must(PacketLog::open(kDeniedLogGroup))); });
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  EXPECT_TRUE(eventually([&] {
    return cluster.daemon_a->err().find("denied packets are not logged") != std::string::npos;
  })) << cluster.daemon_a->err();
  EXPECT_TRUE(eventually([&] { return !has_rules(); }));
  EXPECT_EQ(differences(PolicyOracle(closing("x"))), "");
}

}  // namespace
}  // namespace kubecni::test
