#include "cluster.hpp"

#include "base/file.hpp"
#include "net/route.hpp"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <filesystem>

namespace kubecni::test {

namespace {

constexpr const char* kNodesFile = "/run/kube-cni-test/nodes.json";

/// The segment of each node in turn.
std::vector<unsigned> segments_of(Topology topology) {
  switch (topology) {
    case Topology::kOneSegment:
      return {1, 1};
    case Topology::kTwoSegments:
      return {1, 2};
    case Topology::kMixed:
      return {1, 1, 2};
  }
  return {};
}

std::string pod_cidr(unsigned number, int family) {
  return family == AF_INET ? "10.200." + std::to_string(number) + ".0/24"
                           : "fd00:10:" + std::to_string(number) + "::/64";
}

std::unique_ptr<Cluster::Member> make_member(const ClusterOptions& options, unsigned index,
                                             unsigned segment) {
  std::vector<int> families = list_of(options.families);
  if (options.ipv6_first) std::ranges::reverse(families);
  std::vector<std::string> cidrs;
  for (const int family : families) cidrs.push_back(pod_cidr(index + 1, family));
  auto member = std::make_unique<Cluster::Member>(std::string("node-") + char('a' + index), cidrs,
                                                  options.dataplane);
  member->node.use_mode(options.mode);
  for (const int family : families)
    member->addresses.push_back(Underlay::address(segment, index + 1, family));
  if (!options.routing.empty())
    member->options = {"--routing", options.routing.at(options.routing.size() == 1 ? 0 : index)};
  member->options.insert(member->options.end(), options.daemon_options.begin(),
                         options.daemon_options.end());
  return member;
}

std::vector<std::unique_ptr<Cluster::Member>> make_members(const ClusterOptions& options) {
  std::vector<std::unique_ptr<Cluster::Member>> members;
  for (const unsigned segment : segments_of(options.topology))
    members.push_back(make_member(options, static_cast<unsigned>(members.size()), segment));
  return members;
}

/// By links or, before kernel 6.6, by filters.
bool has_programs(const Node& node, const EbpfDataplane& dataplane, kubecni_device kind,
                  const std::string& device) {
  bool has = false;
  node.netns.enter([&] {
    const unsigned ifindex = ::if_nametoindex(device.c_str());
    if (ifindex == 0) return;
    const auto missing = dataplane.programs.missing(kind, {ifindex, device});
    has = missing && missing->empty();
  });
  return has;
}

}  // namespace

Cluster::Cluster(const ClusterOptions& options)
    : underlay(options.families, options.topology == Topology::kOneSegment ? 1 : 2),
      node_source{"--node-source", std::string("file:") + kNodesFile},
      members_(make_members(options)),
      a(member(0).node),
      b(member(1).node),
      daemon_a(member(0).daemon),
      daemon_b(member(1).daemon),
      pod_a(member(0).pod),
      pod_b(member(1).pod) {
  const auto segments = segments_of(options.topology);
  for (unsigned i = 0; i < size(); ++i) {
    Member& each = member(i);
    each.port = underlay.connect(each.node.netns, segments[i], i + 1);
    if (options.router_carries_pods)
      for (const int family : list_of(options.families))
        underlay.carry(each.cidr_of(family), each.address_of(family));
  }
  write_nodes(nodes());
  for (auto& each : members_) each->daemon.emplace(start_daemon(each->node));
  if (!eventually([&] { return is_complete(); }, options.patience)) {
    std::string said;
    for (auto& each : members_) said += each->daemon->err();
    throw std::runtime_error("the daemons do not get ready: " + said);
  }
  for (auto& each : members_)
    each->pod.emplace(add_pod(each->node, "pod-" + each->node.name().substr(5)));
}

std::vector<nlohmann::json> Cluster::nodes() const {
  std::vector<nlohmann::json> nodes;
  for (const auto& each : members_) {
    std::vector<std::string> ips;
    for (const IpAddr& addr : each->addresses) ips.push_back(addr.str());
    nodes.push_back(make_node(each->node.name(), ips, each->cidrs));
  }
  return nodes;
}

std::vector<nlohmann::json> Cluster::two_nodes() {
  return {make_node("node-a", "192.0.2.1", "10.200.1.0/24"),
          make_node("node-b", "192.0.2.2", "10.200.2.0/24")};
}

void Cluster::write_nodes(const std::vector<nlohmann::json>& nodes) const {
  write_file(make_node_list(nodes).dump());
}

void Cluster::write_file(const std::string& text) const {
  must(write_file_atomically(kNodesFile, text));
}

Process Cluster::start_daemon(const Node& node, const std::vector<std::string>& more,
                              const std::vector<std::string>& wrapper) const {
  std::vector<std::string> options = node_source;
  for (const auto& each : members_)
    if (&each->node == &node)
      options.insert(options.end(), each->options.begin(), each->options.end());
  options.insert(options.end(), more.begin(), more.end());
  return node.start_daemon(options, wrapper);
}

Pod Cluster::add_pod(const Node& node, const std::string& name) const {
  return node.add_pod(name, {{"subnet", nullptr}, {"ipam", nullptr}});
}

bool Cluster::is_complete() const {
  return std::ranges::all_of(members_, [&](const auto& each) {
    return std::ranges::all_of(members_, [&](const auto& other) {
      return each == other || std::ranges::all_of(other->cidrs, [&](const auto& cidr) {
               return knows_cidr(each->node, cidr);
             });
    });
  });
}

IpAddr Cluster::Member::address_of(int family) const {
  for (const IpAddr& addr : addresses)
    if (addr.family() == family) return addr;
  throw std::runtime_error(node.name() + " has no such address");
}

std::string Cluster::Member::cidr_of(int family) const {
  for (const auto& cidr : cidrs)
    if (IpNet::parse(cidr).value().addr.family() == family) return cidr;
  throw std::runtime_error(node.name() + " has no such PodCIDR");
}

bool has_route(const Node& node, const std::string& cidr) {
  auto netlink = must(NetlinkSocket::open_in(node.netns.fd()));
  const IpNet net = IpNet::parse(cidr).value();
  return std::ranges::any_of(must(list_routes(netlink)), [&](const Route& route) {
    return route.dst == net && route.protocol == kRouteProtocol && route.table == RT_TABLE_MAIN;
  });
}

bool has_map_entry(const Node& node, const std::string& cidr) {
  auto dataplane = EbpfDataplane::open_loaded(node.bpffs());
  if (!dataplane) return false;
  return must(dataplane->node_cidrs.entries()).contains(IpNet::parse(cidr).value());
}

bool knows_cidr(const Node& node, const std::string& cidr) {
  if (!has_route(node, cidr)) return false;
  if (!node.is_ebpf()) return true;
  auto dataplane = EbpfDataplane::open_loaded(node.bpffs());
  if (!dataplane) return false;
  const auto nodes = must(dataplane->node_cidrs.entries());
  const auto entry = nodes.find(IpNet::parse(cidr).value());
  if (entry == nodes.end()) return false;
  return entry->second.kind == KUBECNI_NODE_VXLAN
             ? has_programs(node, *dataplane, KUBECNI_ON_TUNNEL, "kcni.vxlan")
             : has_programs(node, *dataplane, KUBECNI_ON_WIRE, "eth0");
}

bool is_attached(const Node& node, unsigned pods) {
  std::error_code none;
  unsigned of_pods = 0;
  bool of_wire = false;
  for (const auto& link : std::filesystem::directory_iterator(PinPaths(node.bpffs()).links, none)) {
    const std::string name = link.path().filename();
    of_pods += name.ends_with("_from_pod") || name.ends_with("_to_pod");
    of_wire = of_wire || name.ends_with("_from_wire") || name.ends_with("_from_tunnel");
  }
  return of_wire && of_pods == 2 * pods;
}

bool is_guarded(const Node& node, const Pod& pod) {
  const PodPort port = node.attachment(pod).port;
  const std::vector<std::string> set =
      port.is_routed() ? std::vector<std::string>{"inet", "kube-cni-guard", "sources6"}
                       : std::vector<std::string>{"bridge", "kube-cni", "ports"};
  const Outcome listed =
      run({.argv = {"nft", "list", "set", set[0], set[1], set[2]}, .netns_fd = node.netns.fd()});
  return listed.status == 0 && listed.out.find(port.host_ifname) != std::string::npos;
}

}  // namespace kubecni::test
