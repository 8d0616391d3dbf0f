// The daemon installs plugin and list for a container runtime that runs already.

#include "base/file.hpp"
#include "containerd_cri.hpp"
#include "control/install/install_controller.hpp"
#include "expect.hpp"
#include "support/node.hpp"
#include "support/program.hpp"
#include "support/sandbox.hpp"
#include "test_api_server/api_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::chrono::seconds kAtOnce{9};  // less than the daemon's usual interval
// Several rounds. With the sanitizers one takes so long that the next waits 5 s.
constexpr std::chrono::seconds kReady{60};

class InstalledCni : public testing::Test {
 protected:
  InstalledCni() {
    fs::create_directories(conf_dir);
    fs::create_directories(bin_dir);
    fs::copy_file(fs::path(kReferencePlugins) / "loopback", bin_dir / "loopback");
    runtime.emplace(ContainerdCri::Places{.netns = node.netns,
                                          .folder = node.folder() / "cri",
                                          .conf_dir = conf_dir,
                                          .bin_dir = bin_dir});
  }

  /// The node's daemon; its Node has `pod_cidr`, or none if that is empty.
  [[nodiscard]] Process start_daemon(const std::string& pod_cidr) const {
    write_node(pod_cidr);
    const json config{{"nodeSource", "file:" + nodes().string()},
                      {"cniConfDir", conf_dir},
                      {"cniBinDir", bin_dir},
                      {"pluginBinary", program("kube-cni")},
                      {"cni", {{"name", "pods"}}}};
    const fs::path path = node.folder() / "config.json";
    must(write_file_atomically(path, config.dump()));
    return node.start_daemon({"--config", path});
  }

  void write_node(const std::string& pod_cidr) const {
    json self = make_node(node.name(), "192.0.2.1", pod_cidr);
    if (pod_cidr.empty()) self["spec"] = json::object();
    must(write_file_atomically(nodes(), make_node_list({self}).dump()));
  }

  [[nodiscard]] fs::path nodes() const { return node.folder() / "nodes.json"; }
  [[nodiscard]] fs::path list() const { return conf_dir / "10-kube-cni.conflist"; }
  [[nodiscard]] bool is_ready() const { return must(runtime->client().is_network_ready()); }

  [[nodiscard]] Result<std::string> start_pod(const std::string& name) const {
    return runtime->client().run_pod_sandbox(
        {.name = name, .uid = "uid-" + name, .cgroup_parent = "/" + sandbox_cgroup()});
  }
  void remove_pod(const std::string& id) const {
    must(runtime->client().stop_pod_sandbox(id));
    must(runtime->client().remove_pod_sandbox(id));
  }

  Node node{"node", std::vector<std::string>{}, "bridge"};
  fs::path conf_dir = node.folder() / "net.d";
  fs::path bin_dir = node.folder() / "bin";
  std::optional<ContainerdCri> runtime;
};

TEST_F(InstalledCni, TheNodeIsReadyOnceItHasItsPodCidrAndPodsStart) {
  Process daemon = start_daemon("");
  ASSERT_TRUE(eventually([&] { return fs::exists(bin_dir / "kube-cni"); })) << daemon.err();
  ASSERT_TRUE(eventually([&] { return fs::exists(node.run_dir() / "status.json"); }));
  EXPECT_FALSE(fs::exists(list()));
  EXPECT_FALSE(is_ready());

  write_node("10.200.1.0/24");

  ASSERT_TRUE(eventually([&] { return is_ready(); }, kReady)) << daemon.err();
  const std::string id = must(start_pod("one"));
  EXPECT_THAT(must(runtime->client().pod_sandbox_status(id)).ips,
              testing::ElementsAre(testing::StartsWith("10.200.1.")));
  remove_pod(id);
}

TEST_F(InstalledCni, SigtermLeavesTheListAndPodsCanEnd) {
  Process daemon = start_daemon("10.200.1.0/24");
  ASSERT_TRUE(eventually([&] { return is_ready(); }, kReady)) << daemon.err();
  const std::string id = must(start_pod("one"));

  daemon.signal(SIGTERM);

  EXPECT_EQ(daemon.wait().status, 0);
  EXPECT_TRUE(fs::exists(list()));
  EXPECT_TRUE(is_ready());
  remove_pod(id);
}

TEST_F(InstalledCni, RemovedFilesAreRestoredAtOnceAndPodsStart) {
  Process daemon = start_daemon("10.200.1.0/24");
  ASSERT_TRUE(eventually([&] { return is_ready(); }, kReady)) << daemon.err();

  fs::remove(bin_dir / "kube-cni");
  fs::remove(list());

  EXPECT_TRUE(eventually([&] { return fs::exists(list()) && is_ready(); }, kAtOnce));
  remove_pod(must(start_pod("one")));
}

/// Adds an invalid second list: containerd then reports that it is not ready, which shows which
/// list it has read last.
TEST_F(InstalledCni, ARunningContainerdReadsEachListThatReplacesAnother) {
  const DaemonOptions options;
  const std::string good = make_conf_list(options, plan_chain({"1.0.0"}, {}));

  for (int round = 0; round < 10; ++round) {
    must(ensure_conf_list(list(), good));
    ASSERT_TRUE(eventually([&] { return is_ready(); })) << "round " << round;
    must(ensure_conf_list(list(), R"({"name": "pods", "plugins": []})"));
    ASSERT_TRUE(eventually([&] { return !is_ready(); })) << "round " << round;
  }
}

class KilledWriter : public testing::Test {
 protected:
  Node node{"node", "10.200.1.0/24", "bridge"};
};

// A reader finds one list or the other, at any moment, even after a kill.
TEST_F(KilledWriter, LeavesTheOldListOrTheNewOne) {
  const fs::path path = node.folder() / "10-kube-cni.conflist";
  const std::string one(40000, '1');
  const std::string two(50000, '2');
  must(ensure_conf_list(path, one));

  for (int kill_after_us = 0; kill_after_us < 20000; kill_after_us += 500) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0)
      for (;;)
        for (const auto& text : {two, one})
          if (!ensure_conf_list(path, text)) ::_exit(1);
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(kill_after_us);
    do {
      const std::string text = must(read_file(path));
      EXPECT_TRUE(text == one || text == two) << text.size() << " bytes";
    } while (std::chrono::steady_clock::now() < end);
    ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "ensure_conf_list() failed";

    const std::string text = must(read_file(path));
    EXPECT_TRUE(text == one || text == two) << text.size() << " bytes";
  }
}

}  // namespace
}  // namespace kubecni::test
