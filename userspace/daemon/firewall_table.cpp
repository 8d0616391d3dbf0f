#include "daemon/firewall_table.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

namespace kubecni {

namespace {

struct Family {
  int number;
  const char* suffix;
  const char* keyword;
  const char* type;
  /// Multicast, and what the kernel does not route. IPv4's link-local addresses are
  /// routed, and are where clouds have their metadata service, which knows no pods.
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

/// A set of the table.
struct Set {
  std::string header;
  std::set<std::string> elements;
};

/// The table, taken apart: the sets' elements can be changed alone.
struct Table {
  std::map<std::string, Set> sets;  // by name
  std::string rules;
};

std::string join(const std::set<std::string>& elements) {
  std::string text;
  for (const std::string& element : elements) text += (text.empty() ? "" : ", ") + element;
  return text;
}

void add_networks(Table& table, const Family& family, const std::string& name,
                  const std::vector<IpNet>& networks, const std::string& comment) {
  Set& set = table.sets[name + family.suffix];
  set.header =
      std::string("type ") + family.type + "; flags interval; comment \"" + comment + "\";";
  for (const IpNet& network : without_contained(networks))
    if (network.addr.family() == family.number) set.elements.insert(network.str());
}

void add_nodes(Table& table, const Family& family, const std::vector<IpAddr>& nodes) {
  Set& set = table.sets[std::string("nodes") + family.suffix];
  set.header = std::string("type ") + family.type + "; comment \"InternalIPs of every node\";";
  for (const IpAddr& node : nodes)
    if (node.family() == family.number) set.elements.insert(node.str());
}

bool has_family(const std::vector<IpNet>& networks, const Family& family) {
  return std::ranges::any_of(
      networks, [&](const IpNet& network) { return network.addr.family() == family.number; });
}

std::string except(const Family& family, const std::string& destination, const char* comment) {
  return std::string("\t\t") + family.keyword + " daddr " + destination + " return comment \"" +
         comment + "\"\n";
}

/// The chain that decides on what comes from this node's pods.
std::string masquerade_chain(const Family& family, std::uint16_t tunnel_port) {
  const std::string suffix = family.suffix;
  std::set<std::string> never_outside;
  for (const IpNet& network : family.never_outside) never_outside.insert(network.str());
  return "\tchain from_pods" + suffix + " {\n" +
         except(family, "@cluster_pods" + suffix, "pods see each other's addresses") +
         except(family, "@nodes" + suffix, "nodes see the pods' addresses") +
         except(family, "@exceptions" + suffix, "the operator's exceptions") +
         except(family, "{ " + join(never_outside) + " }", "stays where it is") + "\t\tudp dport " +
         std::to_string(tunnel_port) +
         " counter drop comment \"would reach tunnels as this node\"\n" +
         "\t\tmasquerade fully-random comment \"to the outside with the node's address\"\n\t}\n";
}

void add_masquerade(Table& table, const FirewallSpec& spec) {
  std::string jumps;
  for (const Family& family : families()) {
    if (!has_family(spec.own_pods, family)) continue;
    add_networks(table, family, "own_pods", spec.own_pods, "PodCIDRs of this node");
    add_networks(table, family, "cluster_pods", spec.cluster_pods, "PodCIDRs of every node");
    add_networks(table, family, "exceptions", spec.exceptions, "never masqueraded");
    add_nodes(table, family, spec.nodes);
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

/// What eBPF does for the tunnel where it is loaded.
void add_guard(Table& table, const FirewallSpec& spec) {
  const std::string to_port = "\t\tudp dport " + std::to_string(spec.tunnel.port) + " ";
  table.rules += "\tchain tunnel {\n\t\ttype filter hook input priority filter; policy accept;\n";
  for (const Family& family : families()) {
    add_nodes(table, family, spec.nodes);
    table.rules += to_port + family.keyword + " saddr != @nodes" + family.suffix +
                   " counter drop comment \"tunnel packets of strangers\"\n";
  }
  // Behind 8 bytes of UDP and 4 of VXLAN, RFC 7348.
  table.rules += to_port + "@th,96,24 != " + std::to_string(spec.tunnel.vni) +
                 " counter drop comment \"tunnel packets of another network\"\n\t}\n";
}

Table take_apart(const FirewallSpec& spec) {
  Table table;
  if (spec.masquerade) add_masquerade(table, spec);
  if (spec.guards_tunnel) add_guard(table, spec);
  return table;
}

bool have_same_structure(const Table& before, const Table& after) {
  return before.rules == after.rules &&
         std::ranges::equal(before.sets, after.sets, [](const auto& one, const auto& other) {
           return one.first == other.first && one.second.header == other.second.header;
         });
}

/// The command that changes what is in `some` and not in `others`; none when nothing is.
std::string change(const std::string& verb, const std::string& name,
                   const std::set<std::string>& some, const std::set<std::string>& others) {
  std::set<std::string> changed;
  std::ranges::set_difference(some, others, std::inserter(changed, changed.end()));
  if (changed.empty()) return "";
  return verb + " element inet " + kFirewallTable + " " + name + " { " + join(changed) + " }\n";
}

/// "set nodes4", "chain postrouting", ...: what a table consists of, as it is listed.
std::set<std::string> objects_of(const std::string& table) {
  std::set<std::string> objects;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    const bool is_object = line.starts_with("\t") && !line.starts_with("\t\t");
    if (is_object && line.ends_with(" {")) objects.insert(line.substr(1, line.size() - 3));
  }
  return objects;
}

/// Of networks that do not overlap, sorted.
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

std::string plan_table(const FirewallSpec& spec) {
  const Table table = take_apart(spec);
  if (table.rules.empty()) return "";
  std::string text = std::string("table inet ") + kFirewallTable +
                     " {\n\tcomment \"of kube-cnid, which undoes changes by others\"\n";
  for (const auto& [name, set] : table.sets) {
    text += "\tset " + name + " {\n\t\t" + set.header;
    if (!set.elements.empty()) text += " elements = { " + join(set.elements) + " };";
    text += "\n\t}\n";
  }
  return text + table.rules + "}\n";
}

std::string plan_replacement(const std::string& before, const std::string& wanted) {
  const std::string name = std::string("inet ") + kFirewallTable;
  const auto objects = objects_of(wanted);
  // The first command is for the second, which needs a table to delete.
  if (objects.empty() || objects != objects_of(before))
    return "add table " + name + "\ndelete table " + name + "\n" + wanted;
  std::string text = "flush table " + name + "\n";
  for (const std::string& object : objects)
    if (object.starts_with("set ")) text += "flush set " + name + " " + object.substr(4) + "\n";
  return text + wanted;
}

std::optional<std::string> plan_elements(const FirewallSpec& before, const FirewallSpec& after) {
  const Table old_table = take_apart(before);
  const Table new_table = take_apart(after);
  if (!have_same_structure(old_table, new_table)) return std::nullopt;
  std::string deleted;
  std::string added;
  for (const auto& [name, set] : new_table.sets) {
    const auto& old_elements = old_table.sets.at(name).elements;
    deleted += change("delete", name, old_elements, set.elements);
    added += change("add", name, set.elements, old_elements);
  }
  return deleted + added;
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
