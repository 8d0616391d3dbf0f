#include "cri_cluster.hpp"

#include "base/file.hpp"
#include "cluster.hpp"
#include "real_client.hpp"
#include "support/program.hpp"
#include "support/sandbox.hpp"
#include "test_api_server/certificate.hpp"

#include <signal.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace kubecni::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* kServerAddress = "192.0.2.254";
constexpr const char* kFolder = "/run/kube-cni-test";
constexpr const char* kRuntimeFolder = "/run/kube-cni-test/runtime/";
constexpr const char* kCertificate = "/run/kube-cni-test/server.crt";
constexpr const char* kToken = "/run/kube-cni-test/token";
constexpr const char* kKey = "/run/kube-cni-test/server.key";
constexpr std::chrono::seconds kReadyDeadline{30};

/// Runs `body(0)` to `body(count - 1)`, `width` at a time.
void run_at_once(std::size_t count, unsigned width, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < width; ++i)
    threads.emplace_back([&] {
      for (std::size_t mine; (mine = next++) < count;) body(mine);
    });
}

/// What kubelet and the distribution have installed on a node before any plugin.
fs::path prepare_plugins(const std::string& name) {
  const fs::path folder = kRuntimeFolder + name + "/bin";
  fs::create_directories(folder);
  fs::copy_file(fs::path(kReferencePlugins) / "loopback", folder / "loopback",
                fs::copy_options::overwrite_existing);
  return folder;
}

}  // namespace

std::vector<CriPod> start_pods(const std::vector<const ContainerdCri*>& runtimes, unsigned count,
                               const std::string& name) {
  std::vector<CriPod> pods(count);
  std::vector<Result<std::string>> ids(count);
  run_at_once(count, count, [&](std::size_t i) {
    pods[i].runtime = runtimes[i % runtimes.size()];
    const std::string pod = name + "-" + std::to_string(i);
    const auto begin = std::chrono::steady_clock::now();
    ids[i] = pods[i].runtime->client().run_pod_sandbox(
        {.name = pod, .uid = "uid-" + pod, .cgroup_parent = "/" + sandbox_cgroup()});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    pods[i].start_ms = took.count();
  });
  for (unsigned i = 0; i < count; ++i) pods[i].id = must(std::move(ids[i]));
  return pods;
}

void remove_pods(const std::vector<CriPod>& pods, unsigned width) {
  std::vector<Result<>> removed(pods.size());
  run_at_once(pods.size(), width, [&](std::size_t i) {
    const CriClient& client = pods[i].runtime->client();
    removed[i] = client.stop_pod_sandbox(pods[i].id);
    if (removed[i]) removed[i] = client.remove_pod_sandbox(pods[i].id);
  });
  for (auto& result : removed) must(std::move(result));
}

CriCluster::Member::Member(const std::string& name, const std::string& pod_cidr)
    : node(name, pod_cidr, "ebpf"),
      cidr(pod_cidr),
      conf_dir(kRuntimeFolder + name + "/net.d"),
      bin_dir(prepare_plugins(name)),
      runtime({.netns = node.netns,
               .folder = kRuntimeFolder + name + "/containerd",
               .conf_dir = conf_dir,
               .bin_dir = bin_dir}) {}

CriCluster::CriCluster() {
  must(make_certificate(kFolder, "server", std::string("IP:") + kServerAddress));
  must(write_file_atomically(kToken, "of-the-service-account"));
  underlay.router.enter([&] {
    server = must(
        ApiServer::start({.address = kServerAddress, .cert_file = kCertificate, .key_file = kKey}));
  });
  unsigned number = 0;
  for (Member* member : {&a, &b}) {
    underlay.connect(member->node.netns, 1, ++number);
    server->set_node(
        make_node(member->node.name(), Underlay::address(1, number, AF_INET).str(), member->cidr));
  }
}

void CriCluster::start_daemon(Member& member) const {
  member.daemon.emplace(member.node.start_daemon(
      {"--node-source", "kubernetes", "--api-server", server->url(), "--ca-file", kCertificate,
       "--token-file", kToken, "--plugin-binary", program("kube-cni"), "--cni-bin-dir",
       member.bin_dir, "--cni-conf-dir", member.conf_dir}));
}

void CriCluster::start_daemons() {
  start_daemon(a);
  start_daemon(b);
  for (Member* member : {&a, &b}) {
    const bool ready = eventually(
        [&] {
          return must(member->runtime.client().is_network_ready()) &&
                 knows_cidr(member->node, (member == &a ? b : a).cidr);
        },
        kReadyDeadline);
    if (!ready) throw std::runtime_error("the network is not ready: " + member->daemon->err());
  }
}

void CriCluster::kill_daemons() {
  for (Member* member : {&a, &b}) {
    member->daemon->signal(SIGKILL);
    member->daemon->wait();
  }
}

std::string CriCluster::leftovers() const {
  std::string text = test::leftovers(a.node) + test::leftovers(b.node);
  for (const char* folder : {"/run/netns", "/var/lib/cni"}) {
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (!entry.is_directory()) text += entry.path().string() + "\n";
  }
  return text;
}

}  // namespace kubecni::test
