#include "bench/path_node.hpp"

#include "base/file.hpp"
#include "bench/bench_policies.hpp"
#include "bench/plugin_call.hpp"
#include "bench/script.hpp"
#include "dataplane/counters.hpp"
#include "dataplane/pins.hpp"
#include "net/netns.hpp"
#include "sandbox/named_netns.hpp"
#include "test_api_server/make_node.hpp"

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace kubecni::bench {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kReadyDeadline{60};
constexpr std::chrono::milliseconds kReadyPoll{50};
constexpr const char* kPolicies = "policies.json";
constexpr const char* kNoObjects = R"({"kind": "List", "items": []})";
constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string node_addr(unsigned number) { return "192.0.2." + std::to_string(number); }

/// Many connections a second need many ports, and need them again soon.
constexpr const char* kPodSettings =
    "sysctl -qw net.ipv4.ip_local_port_range='1024 65000' net.ipv4.tcp_tw_reuse=1\n";

}  // namespace

PathNode::PathNode(PathPrograms programs, std::string name, unsigned number, UniqueFd netns)
    : programs_(std::move(programs)),
      name_(std::move(name)),
      number_(number),
      netns_(std::move(netns)),
      folder_("/run/path-bench/" + name_),
      bpffs_("/sys/fs/bpf/" + name_) {}

Result<std::unique_ptr<PathNode>> PathNode::create(const PathPrograms& programs,
                                                   const std::string& name, unsigned number) {
  auto netns = create_netns("/run/netns/" + name);
  if (!netns) return fail(netns, name);
  std::unique_ptr<PathNode> node(new PathNode(programs, name, number, std::move(*netns)));
  for (const char* sub : {"state", "run", "ipam"})
    if (auto made = ensure_directory(node->folder_ / sub); !made) return fail(made);
  // A node forwards, and can be a client itself.
  auto set = node->run(std::string("sysctl -qw net.ipv4.ip_forward=1\n") + kPodSettings);
  if (!set) return fail(set);
  return node;
}

Result<> PathNode::run(const std::string& script) const {
  const auto inside = NetnsGuard::enter(netns_.get());
  if (!inside) return std::unexpected(inside.error());
  auto done = run_script(script);
  if (!done) return fail(done, name_);
  return {};
}

IpAddr PathNode::address() const { return IpAddr::parse(node_addr(number_)).value(); }
IpAddr PathNode::peer_address() const { return IpAddr::parse(node_addr(3 - number_)).value(); }
std::string PathNode::cidr_of(unsigned number) {
  return "10.200." + std::to_string(number) + ".0/24";
}

Result<> PathNode::connect(const PathNode& other) {
  auto made = run("ip link add eth0 type veth peer name eth0 netns " + other.name_ +
                  "\nip addr add " + address().str() + "/24 dev eth0\nip link set eth0 up\n");
  if (!made) return made;
  return other.run("ip addr add " + other.address().str() + "/24 dev eth0\nip link set eth0 up\n");
}

void PathNode::use_reference(const std::string& type) {
  plugin_ = programs_.reference / type;
  conf_ = {{"cniVersion", "1.0.0"},
           {"name", type + "-net"},
           {"type", type},
           {"ipam",
            {{"type", "host-local"},
             {"dataDir", (folder_ / "ipam").string()},
             {"ranges", json::array({json::array({{{"subnet", pod_cidr()}}})})},
             {"routes", json::array({{{"dst", "0.0.0.0/0"}}})}}}};
  if (type == "bridge") conf_.update({{"bridge", "cni0"}, {"isGateway", true}});
}

Result<> PathNode::write_nodes(unsigned nodes) const {
  std::vector<json> objects;
  for (unsigned number = 1; number <= nodes; ++number)
    objects.push_back(
        test::make_node("node-" + std::to_string(number), node_addr(number), cidr_of(number)));
  return write_file_atomically(folder_ / "nodes.json", test::make_node_list(objects).dump());
}

Result<> PathNode::use_kube_cni(const KubeCniMode& mode, unsigned nodes) {
  plugin_ = programs_.kube_cni / "kube-cni";
  const fs::path state = folder_ / "state", run_dir = folder_ / "run";
  conf_ = {{"cniVersion", "1.0.0"},      {"name", "pods"},
           {"type", "kube-cni"},         {"dataplane", mode.dataplane},
           {"podHooks", mode.pod_hooks}, {"stateDir", state.string()},
           {"runDir", run_dir.string()}, {"bpffs", bpffs_.string()}};
  if (auto written = write_nodes(nodes); !written) return written;
  if (auto written = write_file_atomically(folder_ / kPolicies, kNoObjects); !written)
    return written;
  auto daemon = BackgroundProcess::start(
      netns_.get(),
      {programs_.kube_cni / "kube-cnid", "--node-name", "node-" + std::to_string(number_),
       "--node-source", "file:" + (folder_ / "nodes.json").string(), "--policy-file",
       folder_ / kPolicies, "--dataplane", mode.dataplane, "--routing", mode.routing, "--state-dir",
       state, "--run-dir", run_dir, "--bpffs", bpffs_},
      folder_ / "log");
  if (!daemon) return fail(daemon);
  daemon_ = std::move(*daemon);
  return wait_until("is not ready", [&] { return is_ready(mode, nodes); });
}

Result<> PathNode::wait_until(const std::string& what, const std::function<bool()>& is_so) const {
  const auto end = std::chrono::steady_clock::now() + kReadyDeadline;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end)
      return failure(ETIMEDOUT, "kube-cnid of " + name_ + " " + what + " within a minute: " +
                                    read_file(folder_ / "log").value_or("it said nothing"));
    std::this_thread::sleep_for(kReadyPoll);
  }
  return {};
}

Result<> PathNode::use_policies(const json& objects, const PathEnd& pod) const {
  if (auto written = write_file_atomically(folder_ / kPolicies, objects.dump()); !written)
    return written;
  return wait_until("does not enforce the policies", [&] {
    return run("nft get element inet kube-cni-policy ingress4 '{ " + pod.addr.str() +
               " }' >/dev/null 2>&1\n")
        .has_value();
  });
}

bool PathNode::is_ready(const KubeCniMode& mode, unsigned nodes) const {
  if (!fs::exists(folder_ / "state/node.json")) return false;
  if (nodes == 1) return true;
  if (!run("ip route show " + peer_pod_cidr() + " proto 84 | grep -q .\n")) return false;
  const bool is_tunnel = mode.routing == "vxlan";
  return mode.dataplane == "bridge" ||
         fs::exists(PinPaths(bpffs_).links /
                    (is_tunnel ? "kcni:vxlan_from_tunnel" : "eth0_from_wire"));
}

Result<PathEnd> PathNode::add_empty_pod() {
  const std::string id = name_ + "-pod-" + std::to_string(pods_.size());
  auto netns = create_netns("/run/netns/" + id);
  if (!netns) return fail(netns, id);
  PathEnd end{netns->get(), {}, {}};
  pods_.push_back(std::move(*netns));
  const auto inside = NetnsGuard::enter(end.netns);
  if (!inside) return std::unexpected(inside.error());
  if (auto set = run_script(kPodSettings); !set) return fail(set, id);
  return end;
}

Result<PathEnd> PathNode::add_pod() {
  auto end = add_empty_pod();
  if (!end) return end;
  const std::string id = name_ + "-pod-" + std::to_string(pods_.size() - 1);
  auto called = run_at_once(
      netns_.get(),
      {{.program = plugin_,
        .env = {kPath, "CNI_COMMAND=ADD", "CNI_CONTAINERID=" + id, "CNI_NETNS=/run/netns/" + id,
                "CNI_IFNAME=eth0", "CNI_PATH=" + plugin_.parent_path().string(),
                std::string("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=") + kBenchNamespace +
                    ";K8S_POD_NAME=" + id},
        .input = conf_.dump()}});
  if (!called) return fail(called, name_ + ": ADD");
  const CallEnd& answer = called->front();
  const json result = json::parse(answer.out, nullptr, false);
  if (answer.status != 0 || !result.is_object())
    return failure(EIO, name_ + ": ADD: " + answer.out + answer.err);
  const auto net = IpNet::parse(result.at("ips").at(0).at("address").get<std::string>());
  if (!net) return failure(EIO, name_ + ": ADD gives no address: " + answer.out);
  end->addr = net->addr;
  end->pod = id;
  return end;
}

std::optional<PathNode::Deliveries> PathNode::deliveries() const {
  const auto counts = read_exit_counts(bpffs_);
  if (!counts) return {};
  const auto packets = [&](kubecni_exit_reason reason) { return (*counts)[reason].packets; };
  return Deliveries{.by_ebpf = packets(KUBECNI_FAST_TO_LOCAL_POD) +
                               packets(KUBECNI_FAST_FROM_WIRE) + packets(KUBECNI_FAST_FROM_TUNNEL) +
                               packets(KUBECNI_FAST_TRANSLATED_TO_POD),
                    .by_kernel = packets(KUBECNI_KERNEL_TO_POD)};
}

}  // namespace kubecni::bench
