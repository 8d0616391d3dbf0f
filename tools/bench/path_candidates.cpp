#include "bench/path_candidates.hpp"

#include "base/file.hpp"
#include "bench/bench_policies.hpp"
#include "bench/service_rules.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace kubecni::bench {

namespace {

using NodePtr = std::shared_ptr<PathNode>;
constexpr unsigned kManyServices = 2000;
/// 1000 policies: each of 100 pods of a node has 10.
constexpr unsigned kManyPods = 100;
constexpr unsigned kManyPolicies = 10;

/// Makes nodes with names of their own.
class NodeMaker {
 public:
  explicit NodeMaker(PathPrograms programs) : programs_(std::move(programs)) {}

  Result<NodePtr> one() { return make(1); }
  /// On a wire.
  Result<std::pair<NodePtr, NodePtr>> two() {
    auto a = make(1);
    if (!a) return fail(a);
    auto b = make(2);
    if (!b) return fail(b);
    if (auto connected = (*a)->connect(**b); !connected) return fail(connected);
    return std::pair{std::move(*a), std::move(*b)};
  }

 private:
  Result<NodePtr> make(unsigned number) {
    auto node = PathNode::create(programs_, "node-" + std::to_string(++made_), number);
    if (!node) return fail(node);
    return NodePtr(std::move(*node));
  }

  PathPrograms programs_;
  unsigned made_ = 0;
};

PathEnds ends_between(const PathEnd& client, const PathEnd& server) {
  return {.client_netns = client.netns, .server_netns = server.netns, .to = server.addr};
}

Result<PathBed> between_pods(std::vector<NodePtr> nodes) {
  auto client = nodes.front()->add_pod();
  if (!client) return fail(client);
  auto server = nodes.back()->add_pod();
  if (!server) return fail(server);
  return PathBed{std::move(nodes), ends_between(*client, *server)};
}

Result<PathBed> make_loopback(NodeMaker& maker) {
  auto node = maker.one();
  if (!node) return fail(node);
  const PathEnd end{(*node)->netns(), IpAddr::v4({127, 0, 0, 1}), {}};
  return PathBed{{*node}, ends_between(end, end)};
}

Result<PathBed> make_veth_pair(NodeMaker& maker) {
  auto nodes = maker.two();
  if (!nodes) return fail(nodes);
  const auto& [a, b] = *nodes;
  return PathBed{{a, b}, ends_between(a->itself(), b->itself())};
}

Result<PathBed> make_reference(NodeMaker& maker, const std::string& type) {
  auto node = maker.one();
  if (!node) return fail(node);
  (*node)->use_reference(type);
  return between_pods({*node});
}

Result<PathBed> make_kube_cni(NodeMaker& maker, const KubeCniMode& mode) {
  auto node = maker.one();
  if (!node) return fail(node);
  if (auto ready = (*node)->use_kube_cni(mode, 1); !ready) return fail(ready);
  return between_pods({*node});
}

/// What flannel's host-gw makes.
Result<> route_to_peer(const PathNode& node) {
  return node.run("ip route add " + node.peer_pod_cidr() + " via " + node.peer_address().str() +
                  "\n");
}

/// What flannel's vxlan makes: one device, a route, a neighbour, a static FDB entry.
Result<> tunnel_to_peer(const PathNode& node) {
  const std::string peer = node.peer_address().str();
  const auto mac = [](const IpAddr& addr) {
    return "0a:58:0a:00:00:0" + std::to_string(addr.data()[3]);
  };
  return node.run("ip link add vxlan.1 address " + mac(node.address()) +
                  " type vxlan id 1 dstport 8472 nolearning dev eth0 local " +
                  node.address().str() + "\nip link set vxlan.1 up\nbridge fdb append " +
                  mac(node.peer_address()) + " dev vxlan.1 dst " + peer + "\nip neigh add " + peer +
                  " lladdr " + mac(node.peer_address()) + " dev vxlan.1\nip route add " +
                  node.peer_pod_cidr() + " via " + peer + " dev vxlan.1 onlink\n");
}

/// Pods behind Debian's bridge, with routes of the kernel between the nodes.
Result<std::pair<NodePtr, NodePtr>> two_reference_nodes(NodeMaker& maker,
                                                        Result<> (*join)(const PathNode&)) {
  auto nodes = maker.two();
  if (!nodes) return fail(nodes);
  for (const auto& node : {nodes->first, nodes->second}) {
    node->use_reference("bridge");
    if (auto joined = join(*node); !joined) return fail(joined);
  }
  return nodes;
}

/// The rules of a node. A bridge needs to show netfilter the answers of its own pods.
Result<> apply_rules(const PathNode& node, ProxyMode mode,
                     const std::vector<ServiceSpec>& services) {
  const std::filesystem::path file = node.folder() / "rules";
  if (auto written = write_file_atomically(file, service_rules(mode, services, kClusterCidr));
      !written)
    return written;
  return node.run(std::string("sysctl -qw net.bridge.bridge-nf-call-iptables=1\n") +
                  (mode == ProxyMode::kNft ? "nft -f " : "iptables-restore ") + file.string() +
                  "\n");
}

/// A cluster has kube-proxy on each node, and with its rules conntrack.
Result<std::pair<NodePtr, NodePtr>> two_proxied_nodes(NodeMaker& maker,
                                                      Result<> (*join)(const PathNode&)) {
  auto nodes = two_reference_nodes(maker, join);
  if (!nodes) return nodes;
  for (const auto& node : {nodes->first, nodes->second})
    if (auto applied = apply_rules(*node, ProxyMode::kNft, with_others({}, 1)); !applied)
      return fail(applied);
  return nodes;
}

Result<std::pair<NodePtr, NodePtr>> two_kube_cni_nodes(NodeMaker& maker, const KubeCniMode& mode) {
  auto nodes = maker.two();
  if (!nodes) return fail(nodes);
  for (const auto& node : {nodes->first, nodes->second})
    if (auto ready = node->use_kube_cni(mode, 2); !ready) return fail(ready);
  return nodes;
}

Result<PathBed> between_pods(Result<std::pair<NodePtr, NodePtr>> nodes) {
  if (!nodes) return fail(nodes);
  return between_pods(std::vector<NodePtr>{nodes->first, nodes->second});
}

/// Two nodes with the rules of kube-proxy, and a Service of a backend on each: both groups of
/// candidates use the same.
struct ServiceBed {
  PathBed same_node, other_node;
};

Result<ServiceBed> make_services(Result<std::pair<NodePtr, NodePtr>> nodes, ProxyMode mode,
                                 unsigned count) {
  if (!nodes) return fail(nodes);
  const auto& [a, b] = *nodes;
  auto client = a->add_pod();
  if (!client) return fail(client);
  const auto bed_of = [&](const PathEnd& backend, const IpAddr& cluster_ip) {
    PathEnds ends = ends_between(*client, backend);
    ends.to = cluster_ip;
    ends.to_port = 80;
    return PathBed{{a, b}, ends};
  };
  std::vector<ServiceSpec> services;
  std::vector<PathBed> beds;
  for (const auto& node : {a, b}) {
    auto backend = node->add_pod();
    if (!backend) return fail(backend);
    const IpAddr cluster_ip = IpAddr::v4({10, 96, 0, 1}).plus(beds.size());
    services.push_back({.cluster_ip = cluster_ip, .backend = backend->addr, .udp = true});
    beds.push_back(bed_of(*backend, cluster_ip));
  }
  // With "1 Service" there are two: one for each group.
  services = with_others(std::move(services), count);
  for (const auto& node : {a, b})
    if (auto applied = apply_rules(*node, mode, services); !applied) return fail(applied);
  return ServiceBed{beds[0], beds[1]};
}

void add_same_node(const std::shared_ptr<NodeMaker>& maker, std::vector<Candidate>& list) {
  const auto add = [&](const char* name, auto make) {
    list.emplace_back("same-node", name, "veth pair", "bridge",
                      [maker, make] { return make(*maker); });
  };
  const auto kube_cni = [&](const char* name, const KubeCniMode& mode) {
    add(name, [mode](NodeMaker& nodes) { return make_kube_cni(nodes, mode); });
  };
  add("loopback", make_loopback);
  add("veth pair", make_veth_pair);
  add("ptp", [](NodeMaker& nodes) { return make_reference(nodes, "ptp"); });
  add("bridge", [](NodeMaker& nodes) { return make_reference(nodes, "bridge"); });
  kube_cni("kube-cni kernel path", {.dataplane = "bridge"});
  kube_cni("kube-cni eBPF, filters", {.pod_hooks = "clsact"});
  kube_cni("kube-cni eBPF, links", {.pod_hooks = "tcx"});
}

void add_two_nodes(const std::shared_ptr<NodeMaker>& maker, std::vector<Candidate>& list) {
  const auto add = [&](const char* name, auto make) {
    const bool is_tunnel = std::string_view(name).find("VXLAN") != std::string_view::npos;
    list.emplace_back("two-nodes", name, "node to node",
                      is_tunnel ? "kernel VXLAN" : "kernel routes",
                      [maker, make] { return make(*maker); });
  };
  const auto kube_cni = [&](const char* name, const KubeCniMode& mode) {
    add(name, [mode](NodeMaker& nodes) { return between_pods(two_kube_cni_nodes(nodes, mode)); });
  };
  add("node to node", make_veth_pair);
  add("kernel routes",
      [](NodeMaker& nodes) { return between_pods(two_reference_nodes(nodes, route_to_peer)); });
  add("kernel routes, kube-proxy's rules",
      [](NodeMaker& nodes) { return between_pods(two_proxied_nodes(nodes, route_to_peer)); });
  kube_cni("kube-cni direct, kernel path", {.dataplane = "bridge"});
  kube_cni("kube-cni direct, eBPF", {});
  add("kernel VXLAN",
      [](NodeMaker& nodes) { return between_pods(two_reference_nodes(nodes, tunnel_to_peer)); });
  add("kernel VXLAN, kube-proxy's rules",
      [](NodeMaker& nodes) { return between_pods(two_proxied_nodes(nodes, tunnel_to_peer)); });
  kube_cni("kube-cni VXLAN, kernel path", {.dataplane = "bridge", .routing = "vxlan"});
  kube_cni("kube-cni VXLAN, eBPF", {.routing = "vxlan"});
}

/// What carries the packets of a Service's clients.
struct ServiceCarrier {
  const char* name;
  std::optional<KubeCniMode> mode;  ///< empty: Debian's bridge
  bool only_many;                   ///< only among many Services
};

void add_services(const std::shared_ptr<NodeMaker>& maker, std::vector<Candidate>& list) {
  // A pair of nodes is made at its first use, for both groups.
  const auto made = std::make_shared<std::map<std::string, ServiceBed>>();
  const ServiceCarrier carriers[] = {{"bridge", std::nullopt, false},
                                     {"kube-cni kernel path", {{.dataplane = "bridge"}}, true},
                                     {"kube-cni", {KubeCniMode{}}, false}};
  const auto add = [&](bool same_node, ProxyMode proxy, unsigned count,
                       const ServiceCarrier& carrier) {
    const std::string rules = std::string(proxy == ProxyMode::kNft ? "nftables" : "iptables") +
                              ", " + std::to_string(count) +
                              (count == 1 ? " Service" : " Services");
    const std::string name = std::string(carrier.name) + ", " + rules;
    const auto make = [=]() -> Result<PathBed> {
      auto found = made->find(name);
      if (found == made->end()) {
        auto bed = make_services(carrier.mode ? two_kube_cni_nodes(*maker, *carrier.mode)
                                              : two_reference_nodes(*maker, route_to_peer),
                                 proxy, count);
        if (!bed) return fail(bed);
        found = made->emplace(name, std::move(*bed)).first;
      }
      return same_node ? found->second.same_node : found->second.other_node;
    };
    list.push_back({.group = same_node ? "service-same-node" : "service-other-node",
                    .name = name,
                    .limit = "",
                    .reference = "bridge, " + rules,
                    .make = make});
  };
  for (const bool same_node : {true, false})
    for (const ProxyMode proxy : {ProxyMode::kNft, ProxyMode::kIptables})
      for (const unsigned count : {1U, kManyServices})
        for (const ServiceCarrier& carrier : carriers)
          if (!carrier.only_many || count == kManyServices) add(same_node, proxy, count, carrier);
}

BenchPod bench_pod(const PathEnd& end, const PathNode& node) {
  return {.name = end.pod,
          .node = "node-" + std::to_string(node.number()),
          .addr = end.addr,
          .app = end.pod};
}

/// Two pods that have policies, among others.
struct PoliciedBed {
  PathBed bed;
  PathEnd client, server;
  PoliciedPods pods;
};

Result<PoliciedBed> make_policied_pods(const std::vector<NodePtr>& nodes, unsigned pods_per_node) {
  const auto& first = nodes.front();
  const auto& last = nodes.back();
  auto client = first->add_pod();
  if (!client) return fail(client);
  auto server = last->add_pod();
  if (!server) return fail(server);
  PoliciedPods pods{bench_pod(*client, *first), bench_pod(*server, *last), {}};
  for (const auto& node : nodes)
    for (unsigned i = 1; i < pods_per_node; ++i) {
      auto other = node->add_pod();
      if (!other) return fail(other);
      pods.others.push_back(bench_pod(*other, *node));
    }
  return PoliciedBed{{nodes, ends_between(*client, *server)}, *client, *server, std::move(pods)};
}

/// What enforces the policies of a candidate.
enum class PolicyCarrier { kNobody, kKubeCni, kBridgeRules };

Result<> enforce(const PoliciedBed& made, PolicyCarrier carrier, unsigned policies) {
  if (carrier == PolicyCarrier::kNobody) return {};
  const auto& nodes = made.bed.nodes;
  if (carrier == PolicyCarrier::kKubeCni) {
    const auto objects = make_bench_objects(made.pods, policies);
    if (auto done = nodes.front()->use_policies(objects, made.client); !done) return done;
    return nodes.back()->use_policies(objects, made.server);
  }
  for (const auto& node : nodes) {
    const std::filesystem::path file = node->folder() / "rules";
    if (auto written = write_file_atomically(file, equivalent_rules(made.pods, policies)); !written)
      return written;
    if (auto done = node->run("sysctl -qw net.bridge.bridge-nf-call-iptables=1\nnft -f " +
                              file.string() + "\n");
        !done)
      return done;
  }
  return {};
}

Result<std::vector<NodePtr>> make_policy_nodes(NodeMaker& maker, PolicyCarrier carrier,
                                               bool same_node) {
  if (same_node) {
    auto node = maker.one();
    if (!node) return fail(node);
    if (carrier == PolicyCarrier::kBridgeRules)
      (*node)->use_reference("bridge");
    else if (auto ready = (*node)->use_kube_cni({}, 1); !ready)
      return fail(ready);
    return std::vector{*node};
  }
  auto nodes = carrier == PolicyCarrier::kBridgeRules ? two_reference_nodes(maker, route_to_peer)
                                                      : two_kube_cni_nodes(maker, {});
  if (!nodes) return fail(nodes);
  return std::vector{nodes->first, nodes->second};
}

void add_policies(const std::shared_ptr<NodeMaker>& maker, std::vector<Candidate>& list) {
  const auto add = [&](bool same_node, const std::string& name, PolicyCarrier carrier,
                       unsigned pods_per_node, unsigned policies) {
    const auto make = [=]() -> Result<PathBed> {
      auto nodes = make_policy_nodes(*maker, carrier, same_node);
      if (!nodes) return fail(nodes);
      auto made = make_policied_pods(*nodes, pods_per_node);
      if (!made) return fail(made);
      if (auto done = enforce(*made, carrier, policies); !done) return fail(done);
      return made->bed;
    };
    list.push_back({.group = same_node ? "policy-same-node" : "policy-other-node",
                    .name = name,
                    .limit = "",
                    .reference = "no policy",
                    .make = make});
  };
  for (const bool same_node : {true, false}) {
    const auto kube_cni = PolicyCarrier::kKubeCni, bridge = PolicyCarrier::kBridgeRules;
    add(same_node, "no policy", PolicyCarrier::kNobody, 1, 0);
    add(same_node, "1 policy a pod", kube_cni, 1, 1);
    add(same_node, "1000 policies", kube_cni, kManyPods, kManyPolicies);
    add(same_node, "bridge, rules of 1 policy a pod", bridge, 1, 1);
    add(same_node, "bridge, rules of 1000 policies", bridge, kManyPods, kManyPolicies);
  }
}

}  // namespace

std::vector<std::string> usual_groups() {
  return {"same-node", "two-nodes", "service-same-node", "service-other-node"};
}

std::vector<std::string> policy_groups() { return {"policy-same-node", "policy-other-node"}; }

std::vector<std::string> all_groups() {
  std::vector<std::string> names = usual_groups();
  std::ranges::copy(policy_groups(), std::back_inserter(names));
  return names;
}

std::vector<Candidate> all_candidates(const PathPrograms& programs) {
  const auto maker = std::make_shared<NodeMaker>(programs);
  std::vector<Candidate> list;
  add_same_node(maker, list);
  add_two_nodes(maker, list);
  add_services(maker, list);
  add_policies(maker, list);
  return list;
}

}  // namespace kubecni::bench
