// If ADD or DEL is killed at any step, a later DEL or GC removes what is left, and no address is
// given out twice.

#include "expect.hpp"
#include "support/kill_after.hpp"
#include "support/node_state.hpp"

#include <optional>
#include <set>
#include <string>

namespace kubecni::test {
namespace {

constexpr unsigned kMostSteps = 200;

/// The calls after which a plugin was killed.
struct Visited {
  unsigned steps = 0;
  std::set<std::string> calls;
};

class Killed : public testing::Test {
 protected:
  explicit Killed(const std::string& mode = "bridge") {
    node.use_mode(mode);
    bystander.emplace(node.add_pod("bystander", asking_for(18081)));
  }

  /// Calls the plugin and kills it after its `step`-th changing system call.
  /// False: it came to its end.
  bool kill_in(const std::string& verb, const Pod& victim, unsigned step) {
    CniCall call = node.call_for(verb, victim, kPort);
    call.wrapper = {KUBECNI_KILL_AFTER, std::to_string(step)};
    const CniAnswer answer = node.call(call);
    EXPECT_TRUE(answer.status == 0 || answer.status == kEndedBefore) << answer.err;
    if (answer.status != 0) return false;
    ++visited.steps;
    const auto name = answer.err.find_last_of('\n', answer.err.size() - 2) + 1;
    visited.calls.insert(answer.err.substr(name, answer.err.size() - name - 1));
    return true;
  }

  void expect_visited(const std::set<std::string>& calls) {
    EXPECT_THAT(visited.calls, testing::IsSupersetOf(calls));
    EXPECT_GT(visited.steps, calls.size());
    EXPECT_LT(visited.steps, kMostSteps);
    RecordProperty("steps", static_cast<int>(visited.steps));
  }

  Pod new_pod(unsigned number) { return Pod("pod" + std::to_string(number)); }

  CniAnswer gc(const std::vector<const Pod*>& valid) {
    nlohmann::json attachments = nlohmann::json::array();
    for (const Pod* pod : valid)
      attachments.push_back({{"containerID", pod->container_id}, {"ifname", pod->ifname}});
    return node.cni("GC", *bystander, {{"cni.dev/valid-attachments", attachments}});
  }

  /// Also the table of host ports; the bystander's ADD has made it.
  std::string state() {
    return state_of(node, {&*bystander}, false) +
           node.must_run({"nft", "-s", "list", "table", "inet", "kube-cni-hostports"});
  }
  /// A host port and limits.
  static nlohmann::json asking_for(unsigned host_port) {
    return {{"runtimeConfig",
             {{"portMappings", {{{"hostPort", host_port}, {"containerPort", 80}}}},
              {"bandwidth", {{"ingressRate", 1'000'000}, {"egressRate", 1'000'000}}}}}};
  }

  const nlohmann::json kPort = asking_for(18080);
  Node node{"node", "10.200.0.0/24", "ebpf"};
  std::optional<Pod> bystander;
  Visited visited;
};

class KilledIn : public Killed, public testing::WithParamInterface<std::string /*mode*/> {
 protected:
  KilledIn() : Killed(GetParam()) {}
};

TEST_P(KilledIn, AddAtEveryStepLeavesNothingAfterDel) {
  const std::string before = state();

  for (unsigned step = 1; step < kMostSteps; ++step) {
    Pod victim = new_pod(step);
    const bool killed = kill_in("ADD", victim, step);
    // A runtime may have removed the namespace by then.
    if (step % 2 == 0) victim.netns.remove();

    EXPECT_TRUE(ok(node.cni("DEL", victim)));
    ASSERT_TRUE(eventually([&] { return state() == before; })) << "after step " << step << ":\n"
                                                               << state() << "\nbefore:\n"
                                                               << before;
    if (!killed) break;
  }

  expect_visited({"bpf", "sendmsg", "openat", "write", "rename", "link"});
}

TEST_F(Killed, AddAtEveryStepLeavesNothingAfterGc) {
  const std::string before = state();

  for (unsigned step = 1; step < kMostSteps; ++step) {
    Pod victim = new_pod(step);
    const bool killed = kill_in("ADD", victim, step);
    if (step % 2 == 0) victim.netns.remove();

    EXPECT_TRUE(ok(gc({&*bystander})));
    ASSERT_TRUE(eventually([&] { return state() == before; })) << "after step " << step << ":\n"
                                                               << state() << "\nbefore:\n"
                                                               << before;
    if (!killed) break;
  }

  expect_visited({"bpf", "sendmsg", "openat", "write", "rename", "link"});
}

TEST_P(KilledIn, DelAtEveryStepIsFinishedByTheNext) {
  const std::string before = state();

  for (unsigned step = 1; step < kMostSteps; ++step) {
    Pod victim = node.add_pod("pod" + std::to_string(step), kPort);
    const bool killed = kill_in("DEL", victim, step);
    if (step % 2 == 0) victim.netns.remove();

    EXPECT_TRUE(ok(node.cni("DEL", victim)));
    ASSERT_TRUE(eventually([&] { return state() == before; })) << "after step " << step << ":\n"
                                                               << state() << "\nbefore:\n"
                                                               << before;
    if (!killed) break;
  }

  expect_visited({"bpf", "sendmsg", "unlink"});
}

TEST_F(Killed, AddGivesNoAddressAwayThatALaterPodGetsToo) {
  for (unsigned step = 1; step < kMostSteps; ++step) {
    Pod victim = new_pod(step);
    const bool killed = kill_in("ADD", victim, step);

    Pod later = node.add_pod("later" + std::to_string(step));
    EXPECT_NE(later.address, bystander->address);
    EXPECT_TRUE(ok(node.cni("DEL", victim)));
    const Attachment attachment = node.attachment(later);
    EXPECT_EQ(attachment.port.addresses.front().net.addr, later.address);
    PodEndpoint endpoint;
    endpoint.host.name = attachment.port.host_ifname;
    endpoint.addresses = {later.address};
    endpoint.network = node.endpoint_key(later).network;
    EXPECT_THAT(must(node.dataplane().pods.differences(endpoint)),
                testing::Not(testing::Contains(
                    testing::HasSubstr("has no entry for " + later.address.str()))));
    EXPECT_TRUE(ok(node.cni("DEL", later)));
    if (!killed) break;
  }

  EXPECT_GT(visited.steps, 10u);
}

INSTANTIATE_TEST_SUITE_P(Mode, KilledIn, testing::Values("bridge", "ptp"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kubecni::test
