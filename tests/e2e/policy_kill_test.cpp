// kube-cnid is killed at each step of an update of the policies' table: nothing passes that both
// the former and the new policies forbid, and the next daemon completes the update.

#include "policy_nodes.hpp"
#include "support/kill_after.hpp"

#include <csignal>

namespace kubecni::test {
namespace {

constexpr unsigned kMostSteps = 20;

/// The policies between which the updates change: the pods of x reach those of one other namespace,
/// by some ports, and only they reach that one.
class PolicyKilled : public PolicyOfANode {
 protected:
  [[nodiscard]] json version(unsigned number) const {
    const std::string friends = number % 2 == 0 ? "y" : "z";
    const auto peer = [](const std::string& space) {
      return json{
          {{"namespaceSelector", {{"matchLabels", {{"kubernetes.io/metadata.name", space}}}}}}};
    };
    json objects = closing(friends, json::array({{{"from", peer("x")}}}));
    json ports = json::array({{{"protocol", "UDP"}, {"port", kFirstPort}}});
    json rules = json::array({{{"to", peer(friends)}, {"ports", ports}}});
    objects["policies"].push_back({{"kind", "NetworkPolicy"},
                                   {"metadata", {{"name", "out"}, {"namespace", "x"}}},
                                   {"spec", {{"policyTypes", {"Egress"}}, {"egress", rules}}}});
    return objects;
  }

  /// Starts a daemon that is killed after its `step`-th transaction of nftables. False: it was not,
  /// since its first round needs fewer; then it is stopped.
  bool kill_at(unsigned step) {
    const auto status = cluster.a.run_dir() / "status.json";
    std::filesystem::remove(status);
    Process daemon =
        cluster.start_daemon(cluster.a, {}, {KUBECNI_KILL_AFTER, std::to_string(step) + "t"});
    EXPECT_TRUE(eventually([&] { return !daemon.is_running() || std::filesystem::exists(status); }))
        << daemon.err();
    if (daemon.is_running()) return false;
    EXPECT_EQ(daemon.wait().status, 0) << daemon.err();
    return true;
  }
};

TEST_F(PolicyKilled, AtEveryStepOfAnUpdateNothingForbiddenPasses) {
  const PolicyOracle even(version(0)), odd(version(1));
  const auto expected = [&](const Probe& probe) -> std::optional<bool> {
    if (allows(even, probe) || allows(odd, probe)) return std::nullopt;
    return false;
  };
  write(version(0));
  expect_as_the_oracle_says(version(0));
  unsigned steps = 0;

  for (unsigned step = 1; step < kMostSteps && !HasFailure(); ++step) {
    cluster.daemon_a->signal(SIGTERM);
    cluster.daemon_a->wait();
    write(version(step));
    const bool was_killed = kill_at(step);
    EXPECT_EQ(differences(expected), "") << "killed after transaction " << step;
    cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
    expect_as_the_oracle_says(version(step));
    if (!was_killed) break;
    ++steps;
  }

  EXPECT_GE(steps, 3u) << "chains and sets, elements, what nobody uses";
  EXPECT_LT(steps + 1, kMostSteps);
  RecordProperty("steps", static_cast<int>(steps));
}

}  // namespace
}  // namespace kubecni::test
