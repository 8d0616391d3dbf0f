// containerd starts the image of tools/image as kubelet would start the DaemonSet of deploy/:
// mounts, rights and arguments come from the manifest.

#include "base/file.hpp"
#include "containerd_cri.hpp"
#include "daemon/options.hpp"
#include "dataplane/bpf_fs.hpp"
#include "expect.hpp"
#include "ipam/lease_store.hpp"
#include "real_client.hpp"
#include "support/manifest_pod.hpp"
#include "support/node_state.hpp"
#include "support/sandbox.hpp"
#include "support/underlay.hpp"
#include "support/yaml.hpp"
#include "test_api_server/api_server.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <sstream>
#include <tuple>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr std::chrono::seconds kReadyDeadline{30};
constexpr const char* kServerAddress = "192.0.2.254";
constexpr const char* kConfDir = "/etc/cni/net.d";
constexpr const char* kBinDir = "/opt/cni/bin";
const fs::path kDeploy = KUBECNI_DEPLOY;
const fs::path kFolder = "/run/kube-cni-test/image";
// What the manifests leave at its default.
const DaemonOptions kDefaults;

/// How a container of the manifests ended, or its state.
struct Container {
  SandboxRequest pod;
  std::string sandbox;
  std::string id;
};

class Image : public testing::Test {
 protected:
  Image() {
    underlay.connect(node.netns, 1, 1);
    make_service_account();
    underlay.router.enter([&] {
      server = must(ApiServer::start({.address = kServerAddress,
                                      .cert_file = kFolder / "serviceaccount/ca.crt",
                                      .key_file = kFolder / "server.key"}));
    });
    server->set_node(make_node("node-a", "192.0.2.1", "10.200.1.0/24"));
    server->set_node(make_node("node-b", "192.0.2.2", "10.200.2.0/24"));
    for (const char* name : {"net/ipv4/ip_forward", "net/netfilter/nf_conntrack_tcp_be_liberal"})
      node.set_sysctl(name, "1");
    write_config_maps();
    runtime.emplace(ContainerdCri::Places{.netns = node.netns,
                                          .folder = kFolder / "containerd",
                                          .conf_dir = kConfDir,
                                          .bin_dir = prepare_node()});
    runtime->import_image(KUBECNI_IMAGE);
  }

  ~Image() override {
    for (const auto& sandbox : cri().list_pod_sandboxes().value_or(std::vector<std::string>{})) {
      if (cri().stop_pod_sandbox(sandbox)) std::ignore = cri().remove_pod_sandbox(sandbox);
    }
    runtime.reset();
    std::error_code ignored;
    for (const fs::path& folder : {kFolder, kDefaults.bpffs, kDefaults.state_dir, kDefaults.run_dir,
                                   fs::path(kBinDir), fs::path(kConfDir)})
      fs::remove_all(folder, ignored);
  }

  /// As on a fresh distribution: mounts are shared, and there is a loopback plugin.
  static fs::path prepare_node() {
    if (::mount("", "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0)
      throw std::runtime_error("cannot make the mounts shared");
    fs::create_directories(kBinDir);
    fs::create_directories(kConfDir);
    // Created by the runtime when needed.
    for (const char* folder : {"/var/lib/cni", "/run/containerd"}) fs::create_directories(folder);
    fs::copy_file(fs::path(kReferencePlugins) / "loopback", fs::path(kBinDir) / "loopback",
                  fs::copy_options::overwrite_existing);
    return kBinDir;
  }

  static void make_service_account() {
    const fs::path folder = kFolder / "serviceaccount";
    fs::create_directories(folder);
    must_run({.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                       "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                       "/CN=kube-cni-test", "-addext",
                       std::string("subjectAltName=IP:") + kServerAddress, "-keyout",
                       kFolder / "server.key", "-out", folder / "ca.crt"}});
    must(write_file_atomically(folder / "token", "of-the-service-account"));
    must(write_file_atomically(folder / "namespace", "kube-system"));
  }

  static void write_config_maps() {
    const json map = find_object(read_yaml(kDeploy / "kube-cni.yaml"), "ConfigMap", "kube-cni");
    const fs::path folder = kFolder / "configmaps/kube-cni";
    fs::create_directories(folder);
    for (const auto& [name, content] : map.at("data").items())
      must(write_file_atomically(folder / name, content.get<std::string>()));
  }

  [[nodiscard]] Container start(const json& daemonset, const std::string& name) const {
    Container started{.pod = sandbox_of(daemonset), .sandbox = {}, .id = {}};
    started.pod.name = name + "-" + std::to_string(++pods_);
    started.pod.uid = "uid-" + started.pod.name;
    started.pod.cgroup_parent = "/" + sandbox_cgroup();
    started.pod.log_directory = kFolder / "log";
    fs::create_directories(started.pod.log_directory);
    ContainerRequest request = container_of(daemonset, name,
                                            {.node_name = "node-a",
                                             .service_host = kServerAddress,
                                             .service_port = server->port(),
                                             .config_maps = kFolder / "configmaps",
                                             .service_account = kFolder / "serviceaccount"});
    request.log_path = started.pod.name;
    started.sandbox = must(cri().run_pod_sandbox(started.pod));
    started.id = must(cri().start_container(started.sandbox, started.pod, request));
    return started;
  }

  [[nodiscard]] static std::string log_of(const Container& container) {
    return read_file(fs::path(container.pod.log_directory) / container.pod.name).value_or("");
  }

  /// With the overlay's patch, and with more arguments.
  void start_daemon(const std::string& overlay = "", const json& more_args = json::array()) {
    json daemonset = find_object(read_yaml(kDeploy / "kube-cni.yaml"), "DaemonSet", "kube-cni");
    if (!overlay.empty())
      daemonset.patch_inplace(read_yaml(kDeploy / "overlays" / overlay / "daemonset.yaml").at(0));
    for (const json& arg : more_args)
      daemonset["spec"]["template"]["spec"]["containers"][0]["args"].push_back(arg);
    daemon = start(daemonset, "kube-cnid");
    if (!eventually([&] { return must(cri().is_network_ready()); }, kReadyDeadline))
      throw std::runtime_error("the network is not ready: " + log_of(*daemon));
  }

  void remove(const Container& container) const {
    must(cri().stop_container(container.id, 5));
    remove_pod(container.sandbox);
  }

  void remove_pod(const std::string& sandbox) const {
    must(cri().stop_pod_sandbox(sandbox));
    must(cri().remove_pod_sandbox(sandbox));
  }

  /// A pod of the network; returns its sandbox.
  [[nodiscard]] std::string add_pod(const std::string& name) const {
    return must(cri().run_pod_sandbox(
        {.name = name, .uid = "uid-" + name, .cgroup_parent = "/" + sandbox_cgroup()}));
  }

  /// Starts the cleanup of deploy/cleanup.yaml.
  [[nodiscard]] Container start_cleanup() const {
    return start(find_object(read_yaml(kDeploy / "cleanup.yaml"), "DaemonSet", "kube-cni-cleanup"),
                 "cleanup");
  }

  /// Waits for its end, and returns its exit code.
  int end_of(const Container& cleanup) const {
    ContainerStatus status;
    const bool ended = eventually(
        [&] {
          status = must(cri().container_status(cleanup.id));
          return !status.is_running;
        },
        kReadyDeadline);
    std::printf("%s", log_of(cleanup).c_str());
    remove(cleanup);
    return ended ? status.exit_code : -1;
  }

  /// Everything that the image may change on a node.
  [[nodiscard]] std::string snapshot() const {
    const std::string folders =
        std::string(kBinDir) + " " + kConfDir + " /var/lib /run /sys/fs/bpf";
    return state_of(node, {}, false) +
           node.must_run({"sh", "-c",
                          "nft list ruleset; ip rule; ip -6 rule; tc qdisc;"
                          " bpftool net show dev eth0; for each in " +
                              folders + "; do ls -A $each; done"});
  }

  [[nodiscard]] const CriClient& cri() const { return runtime->client(); }

  [[nodiscard]] std::string ip_of(const std::string& sandbox) const {
    return must(cri().pod_sandbox_status(sandbox)).ips.at(0);
  }

  /// The pod's namespace path, as the runtime gave it.
  [[nodiscard]] static std::string netns_of(const std::string& ip) {
    for (const auto& attachment : must(AttachmentStore(kDefaults.state_dir).list()).attachments)
      if (attachment.port.plain_addresses().at(0).str() == ip) return attachment.netns;
    throw std::runtime_error("no pod has " + ip);
  }

  [[nodiscard]] static Outcome visit_from(const std::string& from, const std::string& to) {
    const UniqueFd inside(::open(netns_of(from).c_str(), O_RDONLY | O_CLOEXEC));
    return run({.argv = {"busybox", "sh", "-c", visit(IpAddr::parse(to).value())},
                .netns_fd = inside.get()},
               kReadyDeadline);
  }

  Underlay underlay{Families::kV4, 1};
  Node node{"node-a", std::vector<std::string>{}, "ebpf"};
  std::unique_ptr<ApiServer> server;
  std::optional<ContainerdCri> runtime;
  std::optional<Container> daemon;
  mutable unsigned pods_ = 0;
};

/// The daemon's own report after its first full look.
json await_status() {
  json status;
  const bool came = eventually(
      [&] {
        status =
            json::parse(read_file(kDefaults.run_dir / "status.json").value_or(""), nullptr, false);
        return status.is_object() && status.at("known") == true;
      },
      kReadyDeadline);
  if (!came) throw std::runtime_error("no status: " + status.dump());
  return status;
}

/// Field `name` of the process's status, "VmRSS" for example.
std::string status_field(const std::string& pid, const std::string& name) {
  std::istringstream lines(must(read_file("/proc/" + pid + "/status")));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1);
  throw std::runtime_error("no " + name);
}

std::string daemon_pid() {
  return json::parse(must(read_file(kDefaults.run_dir / "status.json"))).at("pid").dump();
}

TEST_F(Image, StartedAsTheDaemonSetTakesPodsOntoTheEbpfPath) {
  start_daemon();
  const std::string a = ip_of(add_pod("a"));
  const std::string b = ip_of(add_pod("b"));

  const auto before = must(read_exit_counts(kDefaults.bpffs));
  const auto outcome = visit_from(a, b);
  const auto after = must(read_exit_counts(kDefaults.bpffs));

  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(kVisited));
  EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 10u) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
}

TEST_F(Image, StartedAsTheDaemonSetReachesEverythingOfTheNodeThatItNeeds) {
  node.set_sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "0");
  start_daemon();

  const json status = await_status();

  EXPECT_EQ(status.at("dataplane"), "ebpf") << log_of(*daemon);
  EXPECT_EQ(status.at("noConntrackReason"), "");
  EXPECT_EQ(status.at("errors"), json::array());
  EXPECT_TRUE(fs::exists(PinPaths(kDefaults.bpffs).links / "eth0_from_wire"));
  EXPECT_THAT(node.must_run({"nft", "list", "tables"}), HasSubstr("kube-cni"));
  EXPECT_THAT(node.must_run({"ip", "route"}), HasSubstr("10.200.2.0/24 via 192.0.2.2"));
  node.netns.enter([] {
    EXPECT_EQ(must(read_file("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")), "1\n");
  });
  // The memory for loading is given back.
  EXPECT_TRUE(eventually([] { return std::stoi(status_field(daemon_pid(), "VmRSS")) <= 20 << 10; }))
      << must(read_file("/proc/" + daemon_pid() + "/smaps"));
}

// Otherwise the daemon would take a starting pod for dead, and free its address.
TEST_F(Image, StartedAsTheDaemonSetSeesTheNamespacesOfLaterPods) {
  start_daemon();
  const std::string path = netns_of(ip_of(add_pod("later")));

  struct stat of_host{};
  struct stat of_container{};
  ASSERT_EQ(::stat(path.c_str(), &of_host), 0) << path;
  ASSERT_EQ(::stat(("/proc/" + daemon_pid() + "/root" + path).c_str(), &of_container), 0) << path;

  EXPECT_EQ(of_container.st_ino, of_host.st_ino);
  EXPECT_EQ(of_container.st_dev, of_host.st_dev);
}

// Paths as cri-dockerd gives them. The daemon cannot see the namespace of a process with more
// rights, and must not conclude that the pod is dead.
TEST_F(Image, StartedAsTheDaemonSetLeavesAPodOnItsWayItsAddressWhoseNamespaceItCannotSee) {
  const Pod on_its_way("onitsway");
  const Process inside({.argv = {"sleep", "1000"}, .netns_fd = on_its_way.netns.fd()});
  const json places{{"stateDir", kDefaults.state_dir},
                    {"runDir", kDefaults.run_dir},
                    {"bpffs", kDefaults.bpffs},
                    {"subnet", "10.200.1.0/24"}};
  CniCall add = node.call_for("ADD", on_its_way, places);
  for (auto& variable : add.env)
    if (variable.starts_with("CNI_NETNS="))
      variable = "CNI_NETNS=/proc/" + std::to_string(inside.pid()) + "/ns/net";
  ASSERT_EQ(node.call(add).status, 0);
  node.must_run({"ip", "link", "del", host_ifname_for("pods", on_its_way.container_id, "eth0")});
  const LeaseStore leases(kDefaults.state_dir, "pods");
  const LeaseOwner dead{"dead", "eth0"};
  {
    const Pod gone("dead");
    ASSERT_EQ(node.call(node.call_for("ADD", gone, places)).status, 0);
  }

  start_daemon();

  // One look at all pods frees this one and spares the other.
  EXPECT_TRUE(eventually([&] { return !must(leases.find(dead)); }, kReadyDeadline));
  EXPECT_TRUE(must(leases.find({on_its_way.container_id, "eth0"})));
}

// A router announces the PodCIDR of another node.
TEST_F(Image, StartedAsTheOverlayForBgpSpeaksItByItsOwnBird) {
  const fs::path config = kFolder / "router.conf";
  must(write_file_atomically(config,
                             "router id 192.0.2.254;\n"
                             "protocol device { }\n"
                             "protocol static { ipv4; route 10.200.2.0/24 blackhole; }\n"
                             "protocol bgp { local 192.0.2.254 as 64600;"
                             " neighbor 192.0.2.1 as 64512; graceful restart;"
                             " connect retry time 1; error wait time 1, 2;"
                             " ipv4 { import all; export all; next hop self; }; }\n"));
  const Process router(
      {.argv = {"/usr/sbin/bird", "-f", "-c", config, "-s", kFolder / "router.ctl"},
       .netns_fd = underlay.router.fd()});
  const auto learned = [&] {
    return run({.argv = {"ip", "route", "show", "table", "85", "10.200.2.0/24"},
                .netns_fd = node.netns.fd()})
        .out;
  };
  const auto is_established = [&] {
    const auto status = read_file(kDefaults.run_dir / "status.json").value_or("");
    return status.contains("Established");
  };
  const auto start_with_bgp = [&] {
    start_daemon("bgp", {"--bgp-peer=192.0.2.254@64600"});
    EXPECT_TRUE(eventually([&] { return is_established() && !learned().empty(); }, kReadyDeadline))
        << log_of(*daemon);
  };

  start_with_bgp();
  EXPECT_THAT(learned(), HasSubstr("via 192.0.2.254 dev eth0 proto bird"));
  remove(*daemon);
  EXPECT_THAT(learned(), HasSubstr("via 192.0.2.254 dev eth0 proto bird")) << "it stays";
  start_with_bgp();

  EXPECT_EQ(await_status().at("errors"), json::array()) << log_of(*daemon);
}

TEST_F(Image, CleansUpWhatItMadeAndLeavesLivingPodsTheBridge) {
  const std::string before = snapshot();
  start_daemon();
  const std::string a = add_pod("a");
  const std::string b = add_pod("b");
  remove(*daemon);

  const Container cleanup = start_cleanup();
  EXPECT_TRUE(eventually([&] { return !fs::exists(kDefaults.bpffs); }, kReadyDeadline));
  EXPECT_EQ(visit_from(ip_of(a), ip_of(b)).status, 0);
  EXPECT_TRUE(must(cri().container_status(cleanup.id)).is_running) << "it waits for the pods";
  remove_pod(a);
  remove_pod(b);
  EXPECT_EQ(end_of(cleanup), 0);

  EXPECT_EQ(snapshot(), before);
}

}  // namespace
}  // namespace kubecni::test
