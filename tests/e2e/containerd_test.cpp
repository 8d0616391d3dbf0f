// Debian's containerd starts containers on a node: `ctr run --cni`.

#include "base/file.hpp"
#include "expect.hpp"
#include "real_client.hpp"
#include "support/sandbox.hpp"

#include <signal.h>

#include <algorithm>

namespace kubecni::test {
namespace {

constexpr std::chrono::seconds kRuntimeDeadline{30};

class Containerd : public testing::Test {
 protected:
  Containerd() {
    require_program("containerd", "containerd");
    require_program("ctr", "containerd");
    require_program("runc", "runc");
    install_plugin(node);
    daemon.emplace(start_daemon());
    const auto is_up = [&] { return run(ctr({"version"})).status == 0; };
    if (!eventually(is_up, kRuntimeDeadline))
      throw std::runtime_error("containerd does not start: " + daemon->err());
    test::must_run(ctr({"image", "import", make_busybox_image(node)}), kRuntimeDeadline);
  }

  [[nodiscard]] Process start_daemon() const {
    const std::string folder = node.folder() / "containerd";
    const std::string config = node.folder() / "containerd.toml";
    must(write_file_atomically(
        config, "version = 2\nroot = \"" + folder + "/root\"\nstate = \"" + folder +
                    "/state\"\n[grpc]\naddress = \"" + socket() +
                    "\"\n[plugins.\"io.containerd.internal.v1.opt\"]\npath = \"" + folder +
                    "/opt\"\n"));
    // The CRI plugin would want the machine's CNI configuration.
    must(write_file_atomically(
        config, "disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n" + must(read_file(config))));
    return Process({.argv = {"containerd", "--config", config}, .netns_fd = node.netns.fd()});
  }

  [[nodiscard]] std::string socket() const { return node.folder() / "containerd.sock"; }

  /// ctr calls the plugin itself, so it runs on the node.
  [[nodiscard]] Command ctr(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ctr", "--address", socket()});
    return {.argv = words, .netns_fd = node.netns.fd()};
  }

  [[nodiscard]] Command ctr_run(const std::string& id, std::vector<std::string> command) const {
    std::vector<std::string> words{
        "run", "--rm", "--cni", "--cgroup", "/" + sandbox_cgroup() + "/" + id, kBusyboxImage, id};
    words.insert(words.end(), command.begin(), command.end());
    return ctr(words);
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  std::optional<Process> daemon;
};

TEST_F(Containerd, ContainersReachEachOtherThroughEbpfAndLeaveNothing) {
  const auto before_containers = leftovers(node);

  Process server(ctr_run("server", {"httpd", "-f", "-p", "80", "-h", "/www"}));
  const auto attachments = await_attachments(node, 1);
  EXPECT_EQ(attachments[0].container_id, "default-server");
  const auto before = node.counters();
  const auto client =
      run(ctr_run("client", {"sh", "-c", visit(attachments[0].port.addresses.front().net.addr)}),
          kRuntimeDeadline);
  const auto after = node.counters();

  EXPECT_EQ(client.status, 0) << client.err;
  EXPECT_THAT(client.out, testing::HasSubstr(kVisited));
  EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 10u) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);

  test::must_run(ctr({"task", "kill", "--signal", "SIGKILL", "server"}));
  EXPECT_NE(server.wait(kRuntimeDeadline).status, -1) << server.err();
  EXPECT_TRUE(eventually([&] { return leftovers(node) == before_containers; }));
  EXPECT_EQ(leftovers(node), before_containers);
}

// `ctr run -d` never calls DEL.
TEST_F(Containerd, ADetachedContainerThatEndedLeaksNothing) {
  const auto before = leftovers(node);
  Command detached = ctr_run("detached", {"sleep", "1000"});
  std::ranges::replace(detached.argv, "--rm", "--detach");
  test::must_run(detached, kRuntimeDeadline);
  ASSERT_EQ(await_attachments(node, 1).size(), 1u);
  test::must_run(ctr({"task", "rm", "--force", "detached"}), kRuntimeDeadline);
  test::must_run(ctr({"container", "rm", "detached"}), kRuntimeDeadline);
  ASSERT_THAT(leftovers(node), testing::HasSubstr("default-detached"));
  const std::string nodes = node.folder() / "nodes.json";
  must(write_file_atomically(nodes, R"({"kind": "NodeList", "items": []})"));

  // It looks at its start, and every 30 s.
  Process cni_daemon = node.start_daemon({"--node-source", "file:" + nodes});

  EXPECT_TRUE(eventually([&] { return leftovers(node) == before; }, std::chrono::seconds(60)))
      << leftovers(node) << cni_daemon.err();
}

}  // namespace
}  // namespace kubecni::test
