// The closest to Kubernetes that Debian's packages allow: containerd makes the pods, as kubelet
// asks it to.

#include "cri_cluster.hpp"

#include "bench/statistics.hpp"
#include "paths.hpp"
#include "real_client.hpp"

#include <fcntl.h>

#include <cstdio>
#include <set>
#include <thread>

namespace kubecni::test {
namespace {

constexpr unsigned kPods = 100;
constexpr unsigned kAtOnce = 20;
constexpr std::chrono::seconds kVisitDeadline{90};
// The daemon looks for pods that ended without a DEL every 30 s.
constexpr std::chrono::seconds kSweepDeadline{60};

using Runtimes = std::vector<const ContainerdCri*>;

/// A node like those of the cluster, with Debian's bridge plugin and no daemon.
struct ReferenceNode {
  explicit ReferenceNode(const std::string& name)
      : netns(name),
        folder("/run/kube-cni-test/runtime/" + name),
        runtime({.netns = netns,
                 .folder = folder / "containerd",
                 .conf_dir = folder / "net.d",
                 .bin_dir = kReferencePlugins}) {
    write_cni_list(folder / "net.d" / "10-bridge.conflist",
                   {{"type", "bridge"},
                    {"bridge", "cni0"},
                    {"isGateway", true},
                    {"ipam",
                     {{"type", "host-local"},
                      {"dataDir", folder / "leases"},
                      {"subnet", "10.201.0.0/24"},
                      {"routes", {{{"dst", "0.0.0.0/0"}}}}}}});
    if (!eventually([&] { return must(runtime.client().is_network_ready()); }))
      throw std::runtime_error(name + " does not get ready");
  }

  NetNs netns;
  std::filesystem::path folder;
  ContainerdCri runtime;
};

/// Pings each address from the pod, and fetches a page from the web server there.
/// Returns what went wrong.
std::string visit_all(const std::string& netns, const std::vector<std::string>& addresses) {
  const UniqueFd inside(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<std::string> argv{"bash", "-c", R"(
for to; do
  ping -q -c 1 -W 5 "$to" >/dev/null || echo "no answer from $to"
  exec 3<>"/dev/tcp/$to/80" && printf 'GET /hello HTTP/1.0\r\n\r\n' >&3
  grep -q hello <&3 || echo "no page from $to"
done)",
                                "visit"};
  argv.insert(argv.end(), addresses.begin(), addresses.end());
  const Outcome outcome = run({.argv = argv, .netns_fd = inside.get()}, kVisitDeadline);
  return outcome.out + outcome.err + (outcome.status == -1 ? "not done in time" : "");
}

/// The addresses of the pods, which must run.
std::vector<std::string> addresses_of(const std::vector<CriPod>& pods) {
  std::vector<std::string> addresses;
  for (const CriPod& pod : pods) {
    const auto status = must(pod.runtime->client().pod_sandbox_status(pod.id));
    EXPECT_TRUE(status.is_ready) << pod.id;
    addresses.push_back(status.ips.at(0));
  }
  return addresses;
}

std::size_t attachments(const Node& node) {
  return must(AttachmentStore(node.state_dir()).list()).attachments.size();
}

std::string netns_of_a_pod(const Node& node) {
  return must(AttachmentStore(node.state_dir()).list()).attachments.at(0).netns;
}

/// How long pods took to start, with one plugin.
struct Starts {
  std::string plugin;
  std::vector<double> ms;
};

void print(const Starts& ours, const Starts& reference) {
  const auto base = bench::summarize(reference.ms);
  for (const Starts* starts : {&ours, &reference}) {
    const auto summary = bench::summarize(starts->ms);
    std::printf("pod start, %u at once, %s: p50 %.0f ms, p95 %.0f ms; to %s %.2f, %.2f\n", kAtOnce,
                starts->plugin.c_str(), summary.median, summary.p95, reference.plugin.c_str(),
                summary.median / base.median, summary.p95 / base.p95);
    testing::Test::RecordProperty(starts->plugin + "_p50_ms", std::to_string(summary.median));
    testing::Test::RecordProperty(starts->plugin + "_p95_ms", std::to_string(summary.p95));
  }
}

class Kubernetes : public testing::Test {
 protected:
  /// Starts another kAtOnce pods.
  static void start_more(const Runtimes& runtimes, std::vector<CriPod>& pods, Starts& starts) {
    const std::string name = starts.plugin + std::to_string(pods.size());
    for (CriPod& pod : start_pods(runtimes, kAtOnce, name)) {
      starts.ms.push_back(pod.start_ms);
      pods.push_back(std::move(pod));
    }
  }

  /// One pod of each node reaches every pod.
  void expect_all_reachable(const std::vector<std::string>& addresses) const {
    const auto on_each_node = static_cast<unsigned>(addresses.size() / 2);
    expect_on_ebpf(cluster.a.node, cluster.b.node, false, on_each_node, [&] {
      for (const Node* node : {&cluster.a.node, &cluster.b.node})
        EXPECT_EQ(visit_all(netns_of_a_pod(*node), addresses), "") << "from " << node->name();
    });
  }

  CriCluster cluster;
};

// Kubernetes assigns the PodCIDR after the node has joined. The runtime is not told: it sees the
// list that the daemon then writes.
TEST_F(Kubernetes, NodeIsReadyOnceItsPodCidrIsKnown) {
  CriCluster::Member& node = cluster.a;
  const auto is_ready = [&] { return must(node.runtime.client().is_network_ready()); };
  const nlohmann::json complete = cluster.server->node("node-a");
  nlohmann::json without_pod_cidr = complete;
  without_pod_cidr.erase("spec");
  cluster.server->set_node(without_pod_cidr);
  cluster.start_daemon(node);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(node.bin_dir / "kube-cni"); }))
      << node.daemon->err();
  EXPECT_FALSE(is_ready());

  cluster.server->set_node(complete);

  EXPECT_TRUE(eventually(is_ready)) << node.daemon->err();
}

// The daemons are killed while the second batch of pods starts, and are started again two
// batches later; the runtimes are killed when all pods run.
TEST_F(Kubernetes, HundredPodsReachEachOtherAndLeaveNothing) {
  ReferenceNode reference_a("reference-a"), reference_b("reference-b");
  const Runtimes references{&reference_a.runtime, &reference_b.runtime};
  cluster.start_daemons();
  const auto before = cluster.leftovers();
  std::vector<CriPod> pods, reference_pods;
  Starts ours{.plugin = "kube-cni", .ms = {}}, reference{.plugin = "bridge", .ms = {}};

  for (unsigned batch = 0; batch < kPods / kAtOnce; ++batch) {
    const auto present = attachments(cluster.a.node);
    std::jthread killer;
    if (batch == 1)
      killer = std::jthread([&] {
        EXPECT_TRUE(eventually([&] { return attachments(cluster.a.node) > present; }));
        cluster.kill_daemons();
      });
    if (batch == 3) cluster.start_daemons();
    if (batch % 2 == 0) start_more(cluster.runtimes(), pods, ours);
    start_more(references, reference_pods, reference);
    if (batch % 2 != 0) start_more(cluster.runtimes(), pods, ours);
  }
  print(ours, reference);
  const auto addresses = addresses_of(pods);
  EXPECT_EQ(std::set(addresses.begin(), addresses.end()).size(), kPods);
  expect_all_reachable(addresses);

  for (CriCluster::Member* member : {&cluster.a, &cluster.b}) {
    member->runtime.kill();
    member->runtime.start();
  }
  EXPECT_EQ(addresses_of(pods), addresses);
  expect_all_reachable({addresses.begin(), addresses.begin() + 2});

  remove_pods(pods, kAtOnce);
  remove_pods(reference_pods, kAtOnce);
  EXPECT_TRUE(eventually([&] { return cluster.leftovers() == before; }));
  EXPECT_EQ(cluster.leftovers(), before);
}

// Kubelet would remove each sandbox that it knows. A shim that was just starting, and its cgroup,
// may stay: containerd 1.6.20 forgets it.
TEST_F(Kubernetes, RuntimeThatIsKilledWhilePodsStartLeavesNothing) {
  cluster.start_daemons();
  const CriCluster::Member& node = cluster.a;
  const auto before = network_leftovers(node.node);
  const Runtimes runtimes{&node.runtime};

  std::jthread killer([&] {
    EXPECT_TRUE(eventually([&] { return attachments(node.node) >= kAtOnce / 2; }));
    cluster.a.runtime.kill();
  });
  EXPECT_THROW(start_pods(runtimes, kAtOnce, "pod"), std::runtime_error);
  killer.join();
  cluster.a.runtime.start();
  std::vector<CriPod> known;
  for (const auto& id : must(node.runtime.client().list_pod_sandboxes()))
    known.push_back({.runtime = &node.runtime, .id = id});
  remove_pods(known, kAtOnce);

  EXPECT_TRUE(eventually([&] { return network_leftovers(node.node) == before; }, kSweepDeadline));
  EXPECT_EQ(network_leftovers(node.node), before);
}

}  // namespace
}  // namespace kubecni::test
