// The output of tools/quickstart if something does not work. That it works is tested by ctest's
// e2e.quickstart.*.

#include "expect.hpp"
#include "support/program.hpp"
#include "support/temp_dir.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;

class Quickstart : public testing::Test {
 protected:
  Quickstart() {
    for (const char* name : {"kube-cni", "kube-cnid", "kube-cnictl"})
      fs::create_symlink(program(name), bin.path() / name);
  }

  void replace(const std::string& name, const std::string& script) const {
    fs::remove(bin.path() / name);
    std::ofstream(bin.path() / name) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(bin.path() / name, fs::perms::owner_all);
  }

  /// The last line of its output when it fails. `runner`, if given, runs it.
  [[nodiscard]] std::string last_line(std::vector<std::string> runner = {}) const {
    runner.insert(runner.end(), {KUBECNI_SOURCE_DIR "/tools/quickstart", "--bin", bin.path(),
                                 "--name", "q" + std::to_string(::getpid())});
    const Outcome outcome = Process({.argv = runner}).wait(std::chrono::seconds(60));
    EXPECT_EQ(outcome.status, 1) << outcome.out << outcome.err;
    const auto end = outcome.err.find_last_not_of('\n');
    return outcome.err.substr(outcome.err.rfind('\n', end) + 1);
  }

  TempDir bin;
};

TEST_F(Quickstart, EndsWithWhatTheDaemonSaidWhenThatEnds) {
  replace("kube-cnid",
          "echo 'level=error msg=\"not started\" err=\"no such luck: do this\"' >&2; exit 1");

  EXPECT_EQ(last_line(), "quickstart: kube-cnid of n1 has ended: no such luck: do this\n");
}

TEST_F(Quickstart, EndsWithWhatThePluginSaidWhenThatFails) {
  replace("kube-cni", "echo '{\"code\": 100, \"msg\": \"no such luck\"}'; exit 1");

  EXPECT_EQ(last_line(),
            "quickstart: ADD of n1-a failed: {\"code\": 100, \"msg\": \"no such luck\"} \n");
}

TEST_F(Quickstart, MountsTheBpfFileSystemItself) {
  replace("kube-cnid",
          "echo \"level=error err=\\\"found $(stat -f -c %T /sys/fs/bpf)\\\"\" >&2; exit 1");
  const std::string unmount_all =
      "while [ $(stat -f -c %T /sys/fs/bpf) = bpf_fs ]; do umount /sys/fs/bpf; done; exec \"$@\"";

  EXPECT_EQ(
      last_line({"unshare", "--mount", "--propagation", "private", "sh", "-c", unmount_all, "sh"}),
      "quickstart: kube-cnid of n1 has ended: found bpf_fs\n");
}

}  // namespace
}  // namespace kubecni::test
