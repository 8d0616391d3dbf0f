// Standard input that is large, too large, or does not end.

#include "base/file.hpp"
#include "expect.hpp"
#include "support/node_state.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

namespace kubecni::test {
namespace {

class InputSize : public testing::Test {
 protected:
  CniCall call_with_comment(std::size_t bytes) const {
    return node.call_for("ADD", pod, {{"comment", std::string(bytes, 'x')}});
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod pod{"pod"};
};

TEST_F(InputSize, AMegabyteIsRead) { EXPECT_TRUE(ok(node.call(call_with_comment(1 << 20)))); }

TEST_F(InputSize, MoreThan16MegabytesAreRefusedAndChangeNothing) {
  const auto before = state_of(node, {&pod});

  EXPECT_TRUE(failed(node.call(call_with_comment(16 << 20)), 5, "more than 16777216 bytes"));

  EXPECT_EQ(state_of(node, {&pod}), before);
}

/// Whether the process waits for its standard input: proc(5), "syscall".
bool reads_standard_input(const Process& process) {
  const auto text = read_file("/proc/" + std::to_string(process.pid()) + "/syscall");
  return text && text->starts_with("0 0x0 ");
}

TEST_F(InputSize, WithoutAnEndIsWaitedForHoldingNothing) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const auto before = state_of(node, {&pod});
  CniCall call = node.call_for("ADD", pod);
  call.before_exec = [&] { ::dup2(reader.get(), STDIN_FILENO); };

  Process plugin = node.start(call);

  ASSERT_TRUE(eventually([&] { return reads_standard_input(plugin); }));
  EXPECT_EQ(state_of(node, {&pod}), before);
  plugin.signal(SIGTERM);
  EXPECT_EQ(plugin.wait().status, 128 + SIGTERM);
}

}  // namespace
}  // namespace kubecni::test
