// Debian's podman starts containers on a node, with its CNI backend.

#include "base/file.hpp"
#include "expect.hpp"
#include "real_client.hpp"
#include "support/sandbox.hpp"

namespace kubecni::test {
namespace {

constexpr std::chrono::seconds kRuntimeDeadline{40};

class Podman : public testing::Test {
 protected:
  Podman() {
    require_program("podman", "podman");
    require_program("conmon", "conmon");
    require_program("runc", "runc");
    install_plugin(node);
    // Without CAP_SYS_RESOURCE rlimits cannot be raised to podman's defaults.
    must(write_file_atomically(node.folder() / "containers.conf", R"(
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
[network]
network_backend = "cni"
network_config_dir = "/etc/cni/net.d"
cni_plugin_dirs = ["/opt/cni/bin"]
)"));
    test::must_run(podman({"load", "-i", make_busybox_image(node)}), kRuntimeDeadline);
  }

  [[nodiscard]] Command podman(std::vector<std::string> words) const {
    const std::string folder = node.folder() / "podman";
    words.insert(words.begin(), {"podman", "--root", folder + "/root", "--runroot", folder + "/run",
                                 "--tmpdir", folder + "/tmp", "--storage-driver", "vfs"});
    return {.argv = words,
            .env = {"CONTAINERS_CONF=" + (node.folder() / "containers.conf").string(),
                    "XDG_RUNTIME_DIR=" + folder, "HOME=" + folder},
            .netns_fd = node.netns.fd()};
  }

  [[nodiscard]] Command podman_run(const std::string& name, std::vector<std::string> options,
                                   const std::vector<std::string>& command) const {
    std::vector<std::string> words{"run",       "--network",       "pods",
                                   "--cap-add", "NET_RAW",         "--name",
                                   name,        "--cgroup-parent", "/" + sandbox_cgroup()};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back(kBusyboxImage);
    words.insert(words.end(), command.begin(), command.end());
    return podman(words);
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
};

TEST_F(Podman, ContainersReachEachOtherThroughEbpfAndLeaveNothing) {
  // The first container makes podman prepare what it then keeps for all of them.
  test::must_run(podman_run("first", {"--rm"}, {"sh", "-c", "exit 0"}), kRuntimeDeadline);
  ASSERT_TRUE(eventually([&] { return !leftovers(node).contains("process conmon"); }));
  const auto before_containers = leftovers(node);

  test::must_run(podman_run("server", {"-d"}, {"httpd", "-f", "-p", "80", "-h", "/www"}),
                 kRuntimeDeadline);
  const auto attachments = await_attachments(node, 1);
  EXPECT_EQ(attachments[0].container_id.size(), 64u);
  EXPECT_EQ(attachments[0].pod, "server");
  const auto before = node.counters();
  const auto client =
      run(podman_run("client", {"--rm"},
                     {"sh", "-c", visit(attachments[0].port.addresses.front().net.addr)}),
          kRuntimeDeadline);
  const auto after = node.counters();

  EXPECT_EQ(client.status, 0) << client.err;
  EXPECT_THAT(client.out, testing::HasSubstr(kVisited));
  EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 10u) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);

  test::must_run(podman({"restart", "-t", "0", "server"}), kRuntimeDeadline);
  EXPECT_EQ(await_attachments(node, 1)[0].container_id, attachments[0].container_id);

  test::must_run(podman({"rm", "-f", "-t", "0", "server"}), kRuntimeDeadline);
  EXPECT_TRUE(eventually([&] { return leftovers(node) == before_containers; }));
  EXPECT_EQ(leftovers(node), before_containers);
}

}  // namespace
}  // namespace kubecni::test
