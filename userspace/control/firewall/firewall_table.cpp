#include "control/firewall/firewall_table.hpp"

#include "base/text.hpp"
#include "kubecni/abi.h"

#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace kubecni {

namespace {

// Sets, without the family's suffix.
constexpr const char* kClusterPods = "cluster_pods";
constexpr const char* kNodes = "nodes";
constexpr const char* kTunnelPeers = "tunnel_peers";

struct Family {
  int number;
  const char* suffix;
  const char* keyword;
  const char* type;
  /// Multicast, and what the kernel does not route. IPv4's link-local addresses are not among them:
  /// the kernel routes them, and clouds have their metadata service there, which needs the node's
  /// address.
  std::vector<IpNet> never_outside;
};

const std::vector<Family>& families() {
  static const std::vector<Family> both{
      {AF_INET, "4", "ip", "ipv4_addr", {IpNet::parse("224.0.0.0/4").value()}},
      {AF_INET6,
       "6",
       "ip6",
       "ipv6_addr",
       {IpNet::parse("fe80::/10").value(), IpNet::parse("ff00::/8").value()}}};
  return both;
}

void add_networks(NftTable& table, const Family& family, const std::string& name,
                  const std::vector<IpNet>& networks, const std::string& comment) {
  NftSet& set = table.sets[name + family.suffix];
  set.header =
      std::string("type ") + family.type + "; flags interval; comment \"" + comment + "\";";
  for (const IpNet& network : without_contained(networks))
    if (network.addr.family() == family.number) set.elements.insert(network.str());
}

void add_addresses(NftTable& table, const Family& family, const std::string& name,
                   const std::vector<IpAddr>& addresses, const std::string& comment) {
  NftSet& set = table.sets[name + family.suffix];
  set.header = std::string("type ") + family.type + "; comment \"" + comment + "\";";
  for (const IpAddr& address : addresses)
    if (address.family() == family.number) set.elements.insert(address.str());
}

int number_of_family(const IpNet& network) { return network.addr.family(); }
int number_of_family(const IpAddr& address) { return address.family(); }

template <typename T>
std::vector<T> of_family(const std::vector<T>& all, int family) {
  std::vector<T> kept;
  std::ranges::copy_if(all, std::back_inserter(kept),
                       [&](const T& one) { return number_of_family(one) == family; });
  return kept;
}

bool has_own_pods(const FirewallSpec& spec, int family) {
  return !of_family(spec.own_pods, family).empty();
}

bool has_masquerade(const FirewallSpec& spec, const Family& family) {
  return spec.masquerade && has_own_pods(spec, family.number);
}

/// Only IPv4 has rp_filter.
bool has_marks(const FirewallSpec& spec, const Family& family) {
  return spec.marks_remote && spec.has_tunnel && family.number == AF_INET &&
         has_own_pods(spec, AF_INET);
}

bool has_guard(const FirewallSpec& spec) { return spec.has_tunnel || spec.guards_tunnel; }

std::string except(const Family& family, const std::string& destination, const char* comment) {
  return std::string("\t\t") + family.keyword + " daddr " + destination + " return comment \"" +
         comment + "\"\n";
}

/// The chain for packets from this node's pods.
std::string masquerade_chain(const Family& family, std::uint16_t tunnel_port) {
  const std::string suffix = family.suffix;
  std::set<std::string> never_outside;
  for (const IpNet& network : family.never_outside) never_outside.insert(network.str());
  return "\tchain from_pods" + suffix + " {\n" +
         except(family, "@cluster_pods" + suffix, "pods see each other's addresses") +
         except(family, "@nodes" + suffix, "nodes see the pods' addresses") +
         except(family, "@exceptions" + suffix, "the operator's exceptions") +
         except(family, "{ " + joined(never_outside) + " }", "stays where it is") +
         "\t\tudp dport " + std::to_string(tunnel_port) +
         " counter drop comment \"would reach tunnels as this node\"\n" +
         "\t\tmasquerade fully-random comment \"to the outside with the node's address\"\n\t}\n";
}

void add_pod_networks(NftTable& table, const FirewallSpec& spec, const Family& family) {
  add_networks(table, family, "own_pods", spec.own_pods, "PodCIDRs of this node");
  add_networks(table, family, kClusterPods, spec.cluster_pods, "PodCIDRs of every node");
}

void add_masquerade(NftTable& table, const FirewallSpec& spec) {
  std::string jumps;
  for (const Family& family : families()) {
    if (!has_masquerade(spec, family)) continue;
    add_pod_networks(table, spec, family);
    add_networks(table, family, "exceptions", spec.exceptions, "never masqueraded");
    add_addresses(table, family, kNodes, spec.nodes, "InternalIPs of every node");
    table.rules += masquerade_chain(family, spec.tunnel.port);
    jumps += std::string("\t\t") + family.keyword + " saddr @own_pods" + family.suffix +
             " goto from_pods" + family.suffix + " comment \"from pods of this node\"\n";
  }
  if (jumps.empty()) return;
  table.rules +=
      "\tchain postrouting {\n"
      "\t\ttype nat hook postrouting priority srcnat; policy accept;\n" +
      jumps + "\t}\n";
}

/// Drops translated packets to tunnels. Masquerade, ours or kube-proxy's, gives packets of pods the
/// node's address, and a Service may lead them to the tunnel's port of a node. The tunnel's own
/// packets are never translated.
void add_shield(NftTable& table, const FirewallSpec& spec) {
  table.rules +=
      "\tchain to_tunnels {\n"
      "\t\ttype filter hook postrouting priority srcnat + 10; policy accept;\n"
      "\t\tudp dport " +
      std::to_string(spec.tunnel.port) +
      " ct direction original ct status snat counter drop"
      " comment \"would reach tunnels as this node\"\n\t}\n";
}

/// Checks who sends through the tunnel, if no program does. The chain always exists, maybe without
/// rules: else the table would have to be made anew whenever the rules come and go.
void add_guard(NftTable& table, const FirewallSpec& spec) {
  const std::string to_port = "\t\tudp dport " + std::to_string(spec.tunnel.port) + " ";
  table.rules += "\tchain tunnel {\n\t\ttype filter hook input priority filter; policy accept;\n";
  for (const Family& family : families())
    add_addresses(table, family, kTunnelPeers, spec.tunnel_peers, "may send through the tunnel");
  if (!spec.guards_tunnel) {
    table.rules += "\t}\n";
    return;
  }
  for (const Family& family : families()) {
    table.rules += to_port + family.keyword + " saddr != @tunnel_peers" + family.suffix +
                   " counter drop comment \"tunnel packets of strangers\"\n";
  }
  // The VNI comes after 8 bytes of UDP and 4 of VXLAN, RFC 7348.
  table.rules += to_port + "@th,96,24 != " + std::to_string(spec.tunnel.vni) +
                 " counter drop comment \"tunnel packets of another network\"\n\t}\n";
}

std::string notrack(const FirewallSpec& spec, const char* end, const char* to_node) {
  std::string rules;
  for (const Family& family : families())
    rules += "\t\tudp dport " + std::to_string(spec.tunnel.port) + " " + family.keyword + " " +
             end + " @" + kTunnelPeers + family.suffix + to_node +
             " notrack comment \"of the tunnel\"\n";
  return rules;
}

std::string marks(NftTable& table, const FirewallSpec& spec) {
  std::string rules;
  for (const Family& family : families()) {
    if (!has_marks(spec, family)) continue;
    add_pod_networks(table, spec, family);
    for (const char* from : {"@tunnel_peers4", "!= @own_pods4 ip saddr @cluster_pods4"})
      rules += std::string("\t\tip saddr ") + from + " meta mark set meta mark | " +
               std::to_string(KUBECNI_MARK_REMOTE) + " comment \"the way back may be another\"\n";
  }
  return rules;
}

/// Keeps conntrack from the tunnel's own packets: each packet of a pod would pass it once more, for
/// nothing. Only between nodes: others may use the port for what netfilter translates. And marks
/// what comes from other nodes, if that is asked for.
void add_raw(NftTable& table, const FirewallSpec& spec) {
  const auto chain = [](const std::string& name, const std::string& hook) {
    return "\tchain " + name + " {\n\t\ttype filter hook " + hook +
           " priority raw; policy accept;\n";
  };
  table.rules += chain("from_nodes", "prerouting") +
                 notrack(spec, "saddr", " fib daddr type local") + marks(table, spec) + "\t}\n";
  table.rules += chain("to_nodes", "output") + notrack(spec, "daddr", "") + "\t}\n";
}

/// `networks` have to be sorted and must not overlap.
bool any_contains(const std::vector<IpNet>& networks, const IpAddr& addr) {
  const auto after = std::ranges::upper_bound(networks, addr, {}, &IpNet::addr);
  return after != networks.begin() && std::prev(after)->contains(addr);
}

}  // namespace

std::vector<IpNet> without_contained(std::vector<IpNet> networks) {
  for (IpNet& network : networks) network = network.network();
  std::ranges::sort(networks);  // the wider of two with the same address comes first
  std::vector<IpNet> kept;
  for (const IpNet& network : networks)
    if (kept.empty() || !kept.back().contains(network)) kept.push_back(network);
  return kept;
}

NftTable plan_table(const FirewallSpec& spec) {
  NftTable table{.name = kFirewallTable, .sets = {}, .rules = ""};
  if (spec.masquerade) add_masquerade(table, spec);
  if (spec.has_tunnel) add_shield(table, spec);
  if (has_guard(spec)) add_guard(table, spec);
  if (spec.has_tunnel) add_raw(table, spec);
  return table;
}

AddedToSets plan_additions(const FirewallSpec& spec, const FirewallPeers& peers) {
  AddedToSets added;
  for (const Family& family : families()) {
    const std::string suffix = family.suffix;
    if (has_masquerade(spec, family) || has_marks(spec, family))
      added.networks[kClusterPods + suffix] = of_family(peers.cluster_pods, family.number);
    if (has_masquerade(spec, family))
      added.addresses[kNodes + suffix] = of_family(peers.nodes, family.number);
    if (has_guard(spec))
      added.addresses[kTunnelPeers + suffix] = of_family(peers.tunnel_peers, family.number);
  }
  return added;
}

MasqueradeRule::MasqueradeRule(const FirewallSpec& spec)
    : masquerade_(spec.masquerade), own_pods_(without_contained(spec.own_pods)) {
  std::vector<IpNet> inside = spec.cluster_pods;
  inside.insert(inside.end(), spec.exceptions.begin(), spec.exceptions.end());
  for (const IpAddr& node : spec.nodes) inside.push_back({node, node.bits()});
  for (const Family& family : families())
    inside.insert(inside.end(), family.never_outside.begin(), family.never_outside.end());
  inside_ = without_contained(std::move(inside));
}

bool MasqueradeRule::applies(const IpAddr& source, const IpAddr& destination) const {
  return masquerade_ && any_contains(own_pods_, source) && !any_contains(inside_, destination);
}

bool MasqueradeRule::is_wider_than(const MasqueradeRule& before) const {
  if (!masquerade_) return false;
  return !before.masquerade_ || !std::ranges::includes(before.own_pods_, own_pods_) ||
         !std::ranges::includes(inside_, before.inside_);
}

}  // namespace kubecni
