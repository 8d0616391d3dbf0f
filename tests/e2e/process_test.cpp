// The plugin among other processes: signals, foreign locks, reused paths, and no program but
// itself.

#include "base/file.hpp"
#include "expect.hpp"
#include "ipam/lease_store.hpp"
#include "support/node_state.hpp"
#include "support/program.hpp"
#include "support/traffic.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <csignal>
#include <filesystem>

namespace kubecni::test {
namespace {

class PluginProcess : public testing::Test {
 protected:
  std::string state() const { return state_of(node, {&first, &pod}, false); }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod first = node.add_pod("first");
  Pod pod{"pod"};
};

class Signalled : public PluginProcess, public testing::WithParamInterface<int> {};

TEST_P(Signalled, InTheMidstOfAddLeavesNothingAfterDel) {
  const std::string before = state();
  {
    const auto lock = must(AttachmentStore(node.state_dir()).lock());
    Process plugin = node.start(node.call_for("ADD", pod));
    const LeaseStore leases(node.state_dir(), "pods");
    ASSERT_TRUE(eventually([&] { return must(leases.find({"pod", "eth0"})).has_value(); }));

    plugin.signal(GetParam());

    ASSERT_EQ(plugin.wait().status, 128 + GetParam());
  }
  EXPECT_NE(state(), before);

  EXPECT_TRUE(ok(node.cni("DEL", pod)));

  EXPECT_EQ(state(), before);
}

INSTANTIATE_TEST_SUITE_P(PluginProcess, Signalled, testing::Values(SIGTERM, SIGINT, SIGHUP),
                         [](const auto& tested) { return sigabbrev_np(tested.param); });

TEST_F(PluginProcess, ALockThatItsParentHoldsAndHandsDownIsToTryAgainLater) {
  const std::string before = state();
  const auto path = node.state_dir() / "ipam/pods/lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR));  // without O_CLOEXEC: the plugin inherits it
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);

  EXPECT_TRUE(failed(node.cni("ADD", pod), 11, "another process has kept it"));

  EXPECT_EQ(state(), before);
  lock.reset();
  EXPECT_TRUE(ok(node.cni("ADD", pod)));
}

TEST_F(PluginProcess, DelWithThePathOfAnotherPodLeavesThatOneWhole) {
  std::optional<Pod> old(std::in_place, "reused");
  old->container_id = "old";
  ASSERT_TRUE(ok(node.cni("ADD", *old)));
  CniCall late_del = node.call_for("DEL", *old);
  old.reset();
  Pod current("reused");
  current.container_id = "current";
  const auto added = node.cni("ADD", current);
  ASSERT_TRUE(ok(added));
  current.address = node.attachment(current).port.addresses.at(0).net.addr;

  EXPECT_TRUE(ok(node.call(late_del)));

  EXPECT_TRUE(ok(node.cni("CHECK", current, {{"prevResult", added.json}})));
  EXPECT_TRUE(ok(tcp_transfer(first.netns, current.netns, current.address)));
  EXPECT_THAT(state_of(node, {}, false), testing::Not(testing::HasSubstr("old:eth0")));
}

class Traced : public PluginProcess, public testing::WithParamInterface<std::string> {
 protected:
  /// The programs that a verb has executed, a line each.
  std::string programs_of(const std::string& verb) {
    const std::string log = node.folder() / "strace.log";
    CniCall call = node.call_for(verb, pod, {{"dataplane", GetParam()}});
    call.env.push_back("ASAN_OPTIONS=detect_leaks=0");  // which ptrace(2) forbids
    call.wrapper = {"strace", "-f", "-qq", "-e", "trace=execve,execveat", "-o", log};
    EXPECT_TRUE(ok(node.call(call))) << verb;
    const std::string text = must(read_file(log));
    std::filesystem::remove(log);
    return text;
  }
};

TEST_P(Traced, ExecutesNoProgramButItself) {
  for (const char* verb : {"ADD", "DEL"}) {
    const std::string programs = programs_of(verb);

    EXPECT_EQ(std::ranges::count(programs, '\n'), 1) << programs;
    EXPECT_THAT(programs, testing::HasSubstr("execve(\"" + program("kube-cni") + "\"")) << programs;
  }
}

INSTANTIATE_TEST_SUITE_P(PluginProcess, Traced, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kubecni::test
