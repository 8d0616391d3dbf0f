#include "bench/footprint_node.hpp"

#include "base/file.hpp"
#include "base/subprocess.hpp"
#include "bench/plugin_call.hpp"
#include "dataplane/map_generation.hpp"
#include "dataplane/pins.hpp"
#include "net/address.hpp"
#include "net/bridge.hpp"
#include "net/route.hpp"
#include "sandbox/named_netns.hpp"
#include "state/policy_status.hpp"
#include "test_api_server/certificate.hpp"
#include "test_api_server/make_node.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <optional>
#include <thread>
#include <utility>

namespace kubecni::bench {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kServerAddress = "172.20.255.254";
constexpr const char* kServerNet = "172.20.255.254/16";
const fs::path kFolder = "/run/footprint";
const fs::path kStateDir = kFolder / "state", kRunDir = kFolder / "run";
constexpr const char* kBpffs = "/sys/fs/bpf/footprint";
constexpr unsigned kMtu = 1500;
constexpr unsigned kPodsAtOnce = 10;
constexpr std::chrono::minutes kReadyTimeout{2};
constexpr std::chrono::milliseconds kPoll{100};
constexpr std::chrono::microseconds kFinePoll{200};
/// A change of the policies is complete when nothing more changes for so long.
constexpr std::chrono::milliseconds kQuiet{1500};
constexpr const char* kPolicyPath = "/apis/networking.k8s.io/v1/networkpolicies";
constexpr const char* kPodPath = "/api/v1/pods";
constexpr const char* kNamespacePath = "/api/v1/namespaces";
constexpr unsigned kApps = 100;
constexpr unsigned kPodsOfANode = 100;

std::string node_name(unsigned number) { return "node-" + std::to_string(number); }

// Addresses of the link from here on are of nodes that moved.
constexpr unsigned kUnused = 31000;

/// All nodes are on one link, so that each has a direct route.
std::string node_address(unsigned number) {
  return "172.20." + std::to_string((number + 1) / 250) + "." +
         std::to_string((number + 1) % 250 + 1);
}

std::string pod_cidr(unsigned number) {
  return "10." + std::to_string(128 + number / 256) + "." + std::to_string(number % 256) + ".0/24";
}

std::string hex(unsigned number) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), number, 16).ptr;
  return {digits.begin(), end};
}

std::string node_address6(unsigned number) { return "fd20::" + hex(number + 1); }
std::string pod_cidr6(unsigned number) { return "fd10:0:0:" + hex(number + 1) + "::/64"; }

std::string pod_name(std::size_t number) { return "pod-" + std::to_string(number); }
std::string app_name(std::size_t number) { return "app-" + std::to_string(number % kApps); }

/// Whether the daemon still lists the pods of other nodes, which may take longer than kQuiet.
bool awaits_peers() {
  const auto status = read_policy_status(kRunDir);
  return status && *status && (*status)->awaits_peers;
}

/// A pod of another node.
BenchPod pod_elsewhere(unsigned number, const std::string& app) {
  const unsigned node = 1 + number / kPodsOfANode;
  return {pod_name(number), node_name(node),
          IpNet::parse(pod_cidr(node)).value().addr.plus(2 + number % kPodsOfANode), app};
}

}  // namespace

json FootprintNode::node_object(unsigned number) const {
  if (!dual_stack_)
    return test::make_node(node_name(number), node_address(number), pod_cidr(number));
  return test::make_node(node_name(number), {node_address(number), node_address6(number)},
                         {pod_cidr(number), pod_cidr6(number)});
}

IpNet FootprintNode::pod_cidr_of(unsigned number, int family) {
  return IpNet::parse(family == AF_INET ? pod_cidr(number) : pod_cidr6(number)).value();
}

fs::path FootprintNode::bpffs() { return kBpffs; }
fs::path FootprintNode::run_dir() { return kRunDir; }

Result<std::unique_ptr<FootprintNode>> FootprintNode::create(const Programs& programs,
                                                             bool dual_stack) {
  for (const auto& folder : {kStateDir, kRunDir})
    if (auto made = ensure_directory(folder); !made) return fail(made);
  auto netns = create_netns("/run/netns/node");
  if (!netns) return fail(netns);
  std::unique_ptr<FootprintNode> node(new FootprintNode(programs, std::move(*netns), dual_stack));
  if (auto connected = node->connect(); !connected) return fail(connected);
  if (auto started = node->start_server(); !started) return fail(started);
  if (auto started = node->start_peers(); !started) return fail(started);
  return node;
}

Result<> FootprintNode::connect() {
  auto outside = NetlinkSocket::open();
  auto inside = NetlinkSocket::open_in(netns_.get());
  if (!outside || !inside) return outside ? fail(inside) : fail(outside);
  auto wire = ensure_bridge(*outside, "wire", {{0x02, 0, 0, 0, 0, 1}}, kMtu);
  if (!wire) return fail(wire);
  if (auto done = ensure_address(*outside, wire->ifindex, IpNet::parse(kServerNet).value()); !done)
    return fail(done);
  if (auto done = create_veth(*outside, {.host_name = "wire-1",
                                         .host_mac = {{0x02, 0, 0, 0, 0, 2}},
                                         .bridge_ifindex = wire->ifindex,
                                         .pod_name = "eth0",
                                         .pod_mac = {{0x02, 0, 0, 0, 0, 3}},
                                         .pod_netns_fd = netns_.get(),
                                         .mtu = kMtu});
      !done)
    return fail(done);
  auto port = find_link(*outside, "wire-1");
  auto nic = find_link(*inside, "eth0");
  if (!port || !nic) return port ? fail(nic) : fail(port);
  const IpNet own = IpNet::parse(node_address(0) + "/16").value();
  if (auto done = ensure_address(*inside, (*nic)->ifindex, own); !done) return fail(done);
  const IpNet own6 = IpNet::parse(node_address6(0) + "/64").value();
  if (dual_stack_)
    if (auto done = ensure_address(*inside, (*nic)->ifindex, own6); !done) return fail(done);
  if (auto done = set_link_up(*outside, (*port)->ifindex); !done) return fail(done);
  return set_link_up(*inside, (*nic)->ifindex);
}

/// Makes all addresses of the other nodes, and of their pods, local.
Result<> FootprintNode::route_all_to_here() {
  const std::string own = "unicast " + node_address(0) + " dev wire";
  const std::string own_pods = "unicast " + pod_cidr(0) + " via " + node_address(0) + " dev wire";
  std::string routes;
  for (const auto& route : {own, own_pods, std::string("local 172.20.0.0/16 dev wire"),
                            std::string("local 10.128.0.0/9 dev wire")})
    routes += "ip route add " + route + " table local &&";
  auto made = run_subprocess({.program = "/bin/sh",
                              .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                              .input = routes + ":",
                              .deadline = std::chrono::seconds(10)});
  if (!made) return fail(made, "ip");
  if (made->status != 0)
    return failure(EIO, "ip (package iproute2) ended with status " + std::to_string(made->status));
  return {};
}

Result<> FootprintNode::start_peers() {
  if (auto routed = route_all_to_here(); !routed) return fail(routed);
  auto peers = ProbePeers::start(IpNet::parse(pod_cidr(0)).value().addr,
                                 IpNet::parse(pod_cidr(1)).value().addr);
  if (!peers) return fail(peers);
  peers_ = std::move(*peers);
  return {};
}

Result<> FootprintNode::start_server() {
  if (auto made = test::make_certificate(kFolder, "server", std::string("IP:") + kServerAddress);
      !made)
    return fail(made);
  if (auto written = write_file_atomically(kFolder / "token", "of-the-service-account"); !written)
    return fail(written);
  auto server = test::ApiServer::start({.address = kServerAddress,
                                        .cert_file = kFolder / "server.crt",
                                        .key_file = kFolder / "server.key"});
  if (!server) return fail(server);
  server_ = std::move(*server);
  server_->set_ballast(test::make_node_ballast());
  return {};
}

Result<> FootprintNode::spawn_daemon() {
  std::vector<std::string> words{programs_.daemon,
                                 "--node-name",
                                 node_name(0),
                                 "--node-source",
                                 "kubernetes",
                                 "--api-server",
                                 server_->url(),
                                 "--ca-file",
                                 kFolder / "server.crt",
                                 "--token-file",
                                 kFolder / "token",
                                 "--state-dir",
                                 kStateDir,
                                 "--run-dir",
                                 kRunDir,
                                 "--bpffs",
                                 kBpffs};
  auto started = BackgroundProcess::start(netns_.get(), std::move(words), kFolder / "log");
  if (!started) return fail(started);
  daemon_ = std::move(*started);
  return {};
}

/// Whether all other nodes have a route, and the plugin knows this node's PodCIDR.
Result<bool> FootprintNode::is_complete(unsigned nodes) const {
  auto netlink = NetlinkSocket::open_in(netns_.get());
  if (!netlink) return fail(netlink);
  auto routes = list_routes(*netlink);
  if (!routes) return fail(routes);
  const auto ours = std::ranges::count(*routes, kRouteProtocol, &Route::protocol);
  const std::ptrdiff_t families = dual_stack_ ? 2 : 1;
  return ours == families * (nodes - 1) && fs::exists(kStateDir / "node.json");
}

Result<> FootprintNode::start_daemon(unsigned nodes) {
  daemon_.reset();
  std::vector<json> objects;
  objects.reserve(nodes);
  for (unsigned number = 0; number < nodes; ++number) objects.push_back(node_object(number));
  server_->replace_nodes(objects);
  if (auto spawned = spawn_daemon(); !spawned) return fail(spawned);
  auto done = wait_until([&] { return is_complete(nodes); }, kPoll);
  if (!done) return fail(done, "the daemon does not know " + std::to_string(nodes) + " nodes");
  return {};
}

Result<> FootprintNode::restart_daemon() {
  daemon_.reset();
  return spawn_daemon();
}

Result<> FootprintNode::wait_until(const std::function<Result<bool>()>& is_so,
                                   std::chrono::nanoseconds poll) {
  for (const auto end = Clock::now() + kReadyTimeout; Clock::now() < end;) {
    auto now = is_so();
    if (!now) return fail(now);
    if (*now) return {};
    std::this_thread::sleep_for(poll);
  }
  return failure(ETIMEDOUT, "not within two minutes: " +
                                read_file(kFolder / "log").value_or("it said nothing"));
}

Result<> FootprintNode::add_pods(unsigned count) {
  const json conf{{"cniVersion", "1.0.0"},          {"name", "pods"},    {"type", "kube-cni"},
                  {"stateDir", kStateDir.string()}, {"runDir", kRunDir}, {"bpffs", kBpffs}};
  for (const std::size_t wanted = pods_.size() + count; pods_.size() < wanted;) {
    std::vector<PluginCall> calls;
    const std::size_t at_once = std::min<std::size_t>(wanted - pods_.size(), kPodsAtOnce);
    for (std::size_t number = pods_.size(); calls.size() < at_once; ++number) {
      const std::string id = pod_name(number);
      if (auto made = create_netns("/run/netns/" + id); !made) return fail(made);
      calls.push_back(
          {.program = programs_.plugin,
           .env = {"CNI_COMMAND=ADD", "CNI_CONTAINERID=" + id, "CNI_NETNS=/run/netns/" + id,
                   "CNI_IFNAME=eth0", "CNI_PATH=" + programs_.plugin.parent_path().string(),
                   std::string("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=") + kBenchNamespace +
                       ";K8S_POD_NAME=" + id},
           .input = conf.dump()});
    }
    auto ends = run_at_once(netns_.get(), calls);
    if (!ends) return fail(ends);
    for (const CallEnd& end : *ends) {
      const json result = json::parse(end.out, nullptr, false);
      if (end.status != 0 || !result.is_object()) return failure(EIO, "ADD: " + end.out + end.err);
      const auto net = IpNet::parse(result.at("ips").at(0).at("address").get<std::string>());
      if (!net) return failure(EIO, "ADD gives no address: " + end.out);
      pods_.push_back({pod_name(pods_.size()), node_name(0), net->addr, app_name(pods_.size())});
    }
  }
  return {};
}

Result<> FootprintNode::announce_pods(unsigned pods) {
  const auto here = static_cast<unsigned>(pods_.size());
  if (here == 0) return failure(EINVAL, "no pod of this node");
  server_->set_object(kNamespacePath, make_bench_namespace());
  for (const BenchPod& pod : pods_) server_->set_object(kPodPath, make_bench_pod(pod));
  for (unsigned number = here; number < pods; ++number)
    server_->set_object(kPodPath, make_bench_pod(pod_elsewhere(number, app_name(number))));
  return {};
}

Result<std::chrono::nanoseconds> FootprintNode::deny_all() {
  return time_policies([&] { server_->set_object(kPolicyPath, make_bench_denial()); });
}

Result<std::chrono::nanoseconds> FootprintNode::announce_policies(unsigned policies) {
  return time_policies([&] {
    for (unsigned policy = 0; policy < policies; ++policy) announce_policy(policy, policy % kApps);
  });
}

void FootprintNode::announce_policy(unsigned policy, unsigned app) {
  const BenchPod& subject = pods_[policy % pods_.size()];
  server_->set_object(kPolicyPath, make_bench_policy("policy-" + std::to_string(policy),
                                                     subject.name, app_name(app)));
}

Result<std::chrono::nanoseconds> FootprintNode::change_policy(unsigned policy) {
  return time_policies([&] { announce_policy(policy, policy + 1); });
}

Result<std::chrono::nanoseconds> FootprintNode::change_peer(unsigned pod) {
  const std::string app = app_name(pod) == app_name(1) ? "no-app" : app_name(1);
  return time_policies(
      [&] { server_->set_object(kPodPath, make_bench_pod(pod_elsewhere(pod, app))); });
}

/// The daemon raises the maps' generation when a change of the policies is in force.
Result<std::chrono::nanoseconds> FootprintNode::time_policies(
    const std::function<void()>& change) const {
  auto generation = MapGeneration::open(PinPaths(kBpffs).maps);
  if (!generation) return fail(generation);
  unsigned last = generation->number();
  const auto begin = Clock::now();
  change();
  std::optional<Clock::time_point> changed;
  while (!changed || Clock::now() < *changed + kQuiet || awaits_peers()) {
    if (Clock::now() > begin + kReadyTimeout)
      return failure(ETIMEDOUT, "the policies are not in force within two minutes: " +
                                    read_file(kFolder / "log").value_or("it said nothing"));
    std::this_thread::sleep_for(kFinePoll);
    if (const unsigned now = generation->number(); std::exchange(last, now) != now)
      changed = Clock::now();
  }
  return *changed - begin;
}

void FootprintNode::report_status(unsigned node) {
  json object = node_object(node);
  object["status"]["conditions"] = {
      {{"type", "Ready"},
       {"status", "True"},
       {"lastHeartbeatTime", Clock::now().time_since_epoch().count()}}};
  server_->set_node(std::move(object));
}

void FootprintNode::move_node(unsigned node) {
  json object = node_object(node);
  if (moved_.insert(node).second)
    object["status"]["addresses"][0]["address"] = node_address(node + kUnused);
  else
    moved_.erase(node);
  server_->set_node(std::move(object));
}

Result<> FootprintNode::flap_pod(std::chrono::seconds time) {
  const std::string seconds = std::to_string(time.count());
  auto flapped = run_subprocess(
      {.program = "/bin/sh",
       .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
       .input = "for i in $(seq 500); do echo link set eth0 down; echo link set eth0 up; done"
                " >/run/flaps && timeout " +
                seconds +
                " sh -c 'while ip -n pod-0 -batch /run/flaps; do :; done'; [ $? -eq 124 ]",
       .deadline = time + std::chrono::seconds(10)});
  if (!flapped) return fail(flapped, "ip");
  if (flapped->status != 0)
    return failure(EIO,
                   "ip (package iproute2) ended with status " + std::to_string(flapped->status));
  return {};
}

}  // namespace kubecni::bench
