// Whatever a runtime passes on to the plugin's process: ADD and DEL work, or fail and leave
// nothing.

#include "expect.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using Handover = std::function<void()>;

class Inherited : public testing::Test {
 protected:
  CniAnswer call(const std::string& verb, const Handover& handover) const {
    CniCall call = node.call_for(verb, pod, {{"logLevel", "debug"}});
    call.before_exec = handover;
    return node.call(call);
  }
  std::string state() const { return state_of(node, {&first, &pod}, false); }

  void expect_works(const Handover& handover) {
    const std::string before = state();

    EXPECT_TRUE(ok(call("ADD", handover)));
    EXPECT_TRUE(ok(ping(pod.netns, node.gateway())));
    EXPECT_TRUE(node.attachment(pod).ebpf);

    EXPECT_TRUE(ok(call("DEL", handover)));
    EXPECT_EQ(state(), before);
  }

  /// Without a readable answer.
  void expect_fails_and_leaves_nothing(const Handover& handover) {
    const std::string before = state();

    EXPECT_EQ(call("ADD", handover).status, 1);

    EXPECT_EQ(state(), before);
  }

  /// Lock files always stay empty.
  void expect_locks_are_empty() const {
    for (const auto& entry : fs::recursive_directory_iterator(node.state_dir())) {
      const std::string name = entry.path().filename();
      if (name != "lock" && !name.ends_with(".lock")) continue;
      EXPECT_EQ(entry.file_size(), 0u) << entry.path();
    }
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod first = node.add_pod("first");
  Pod pod{"pod"};
};

/// The permission bits of everything below `folder`.
std::vector<std::pair<std::string, unsigned>> modes_below(const fs::path& folder) {
  std::vector<std::pair<std::string, unsigned>> modes;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    modes.emplace_back(entry.path(), static_cast<unsigned>(entry.status().permissions()));
  return modes;
}

class Umask : public testing::TestWithParam<unsigned> {};

TEST_P(Umask, LeavesFilesToTheirOwnerAlone) {
  const Node node("node", "10.200.0.0/24", "ebpf");
  const Pod pod("pod");
  CniCall call = node.call_for("ADD", pod);
  call.before_exec = [] { ::umask(static_cast<mode_t>(GetParam())); };

  ASSERT_TRUE(ok(node.call(call)));

  for (const auto& [path, mode] : modes_below(node.state_dir()))
    EXPECT_EQ(mode, fs::is_directory(path) ? 0755u : 0600u) << path;
}

INSTANTIATE_TEST_SUITE_P(Inherited, Umask, testing::Values(0u, 0777u), [](const auto& tested) {
  return tested.param == 0 ? "OfNothing" : "OfEverything";
});

TEST_F(Inherited, ClosedStandardErrorChangesNothing) {
  expect_works([] { ::close(STDERR_FILENO); });
  expect_locks_are_empty();
}

TEST_F(Inherited, ClosedStandardInputIsAnEmptyConfiguration) {
  const std::string before = state();

  EXPECT_TRUE(failed(call("ADD", [] { ::close(STDIN_FILENO); }), 6, "empty"));

  EXPECT_EQ(state(), before);
}

TEST_F(Inherited, ClosedStandardOutputFailsAnAddThatNobodyHeardOf) {
  expect_fails_and_leaves_nothing([] { ::close(STDOUT_FILENO); });
  expect_locks_are_empty();
}

TEST_F(Inherited, NoDescriptorAtAllFailsAnAdd) {
  expect_fails_and_leaves_nothing([] { ::close_range(0, 2, 0); });
  expect_locks_are_empty();
}

TEST_F(Inherited, ClosedStandardOutputIsEnoughForDel) {
  EXPECT_TRUE(ok(node.cni("ADD", pod)));

  EXPECT_EQ(call("DEL", [] { ::close(STDOUT_FILENO); }).status, 0);

  EXPECT_TRUE(
      failed(node.cni("CHECK", pod, {{"prevResult", {{"cniVersion", "1.1.0"}}}}), 3, "pod"));
}

/// Makes `fd` the end of a pipe that nobody reads.
void break_pipe_at(int fd) {
  int ends[2];
  if (::pipe(ends) != 0) return;
  ::dup2(ends[1], fd);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(Inherited, BrokenPipeAtStandardOutputFailsAnAddThatNobodyHeardOf) {
  expect_fails_and_leaves_nothing([] { break_pipe_at(STDOUT_FILENO); });
}

TEST_F(Inherited, BrokenPipeAtStandardErrorChangesNothing) {
  expect_works([] { break_pipe_at(STDERR_FILENO); });
}

TEST_F(Inherited, EverySignalIgnored) {
  expect_works([] {
    for (int signal = 1; signal < SIGRTMIN; ++signal) ::signal(signal, SIG_IGN);
  });
}

TEST_F(Inherited, EverySignalBlocked) {
  expect_works([] {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
  });
}

TEST_F(Inherited, WorkingDirectoryThatIsGone) {
  expect_works([] {
    char name[] = "/run/tmp/gone-XXXXXX";
    if (!::mkdtemp(name) || ::chdir(name) != 0 || ::rmdir(name) != 0) ::_exit(126);
  });
}

TEST_F(Inherited, EnvironmentOfCniVariablesAlone) {
  CniCall call = node.call_for("ADD", pod);
  call.wrapper = {"/usr/bin/env", "-i"};
  call.wrapper.insert(call.wrapper.end(), call.env.begin(), call.env.end());

  EXPECT_TRUE(ok(node.call(call)));
}

TEST_F(Inherited, CniPathOfAThousandFolders) {
  std::string path;
  for (int i = 0; i < 1000; ++i) path += "/opt/cni/bin" + std::to_string(i) + ":";
  CniCall call = node.call_for("ADD", pod);
  std::erase_if(call.env, [](const auto& entry) { return entry.starts_with("CNI_PATH="); });
  call.env.push_back("CNI_PATH=" + path);

  EXPECT_TRUE(ok(node.call(call)));
}

Handover limited(int resource, rlim_t value) {
  return [resource, value] {
    const rlimit limit{value, value};
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
  };
}

TEST_F(Inherited, LimitOfLockedMemory) { expect_works(limited(RLIMIT_MEMLOCK, 0)); }

TEST_F(Inherited, TwentyDescriptorsAreEnough) { expect_works(limited(RLIMIT_NOFILE, 20)); }

TEST_F(Inherited, TooFewDescriptorsFailAnAddWhereverTheyRunOut) {
  for (rlim_t count = 4; count < 8; ++count) {
    const std::string before = state();

    const auto answer = call("ADD", limited(RLIMIT_NOFILE, count));

    if (answer.status == 0) {
      EXPECT_GT(count, 4u);
      EXPECT_TRUE(ok(node.cni("DEL", pod)));
    } else {
      EXPECT_TRUE(failed(answer, answer.code(), "Too many open files")) << count;
    }
    EXPECT_EQ(state(), before) << count;
  }
}

TEST_F(Inherited, FileSizeLimitFailsAnAdd) {
  expect_fails_and_leaves_nothing(limited(RLIMIT_FSIZE, 0));
}

}  // namespace
}  // namespace kubecni::test
