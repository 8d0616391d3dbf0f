#include "collect.hpp"
#include "dataplane/node_tables.hpp"
#include "net/link.hpp"
#include "net/route.hpp"

#include <linux/rtnetlink.h>

#include <map>
#include <set>
#include <string>

namespace kubecni {

using nlohmann::json;

namespace {

/// Whether BIRD has learned it.
bool is_learned(const Route& route) {
  return route.table == kBgpTable && route.protocol == RTPROT_BIRD;
}

/// The state of the session with a node that its routes to `cidr` would come by; empty: none.
std::string session_of(const std::string& node, const IpNet& cidr, const json& sessions) {
  for (const json& session : sessions) {
    const auto address = IpAddr::parse(session["address"].get<std::string>());
    if (session["name"] == node && address && address->family() == cidr.addr.family())
      return session["state"];
  }
  return "";
}

/// One row per PodCIDR: what the daemon wants, what the map has, what the kernel has.
class NodeRows {
 public:
  explicit NodeRows(NetlinkSocket& netlink) : netlink_(netlink) {}

  void add_wanted(const json& daemon) {
    if (!daemon.is_object()) return;
    for (const json& node : daemon["nodes"]) {
      const auto cidr = IpNet::parse(node["podCIDR"].get<std::string>());
      if (!cidr) continue;
      json& found = row(*cidr);
      for (const char* key : {"kind", "nextHop", "device", "mtu", "why"}) found[key] = node[key];
      found["node"] = node["name"];
      found["session"] = session_of(node["name"], *cidr, daemon.value("bgp", json::array()));
    }
    for (const json& text : daemon["podCIDRs"]) {
      const auto cidr = IpNet::parse(text.get<std::string>());
      if (!cidr) continue;
      row(*cidr)["node"] = daemon["nodeName"];
      row(*cidr)["kind"] = "local";
      row(*cidr)["why"] = "this node";
    }
  }

  void add_map_entry(const IpNet& cidr, const kubecni_node& entry) {
    json& node = row(cidr);
    node["inMap"] = true;
    if (entry.kind == KUBECNI_NODE_LOCAL) return note(node, "kind", "local", "map");
    note(node, "kind", entry.kind == KUBECNI_NODE_VXLAN ? "vxlan" : "direct", "map");
    note(node, "nextHop", next_hop_of(entry).str(), "map");
    note(node, "device", device_name(entry.egress_ifindex), "map");
    if (node["mtu"] == 0) node["mtu"] = entry.mtu;
  }

  /// Routes that BIRD has learned come first, here as in the kernel.
  void add_routes(const std::vector<Route>& routes) {
    std::set<IpNet> learned;
    for (const Route& route : routes)
      if (is_learned(route) && learned.insert(route.dst).second) add_route(route);
    for (const Route& route : routes)
      if (route.protocol == kRouteProtocol && route.table == Route().table &&
          !learned.contains(route.dst))
        add_route(route);
  }

  json take() {
    json list = json::array();
    for (auto& [cidr, node] : rows_) list.push_back(std::move(node));
    return list;
  }

 private:
  void add_route(const Route& route) {
    json& node = row(route.dst);
    node["inRoutes"] = true;
    note(node, "kind", route.encap ? "vxlan" : "direct", "route");
    const auto next_hop = route.encap ? route.encap->remote : route.gateway;
    note(node, "nextHop", next_hop ? next_hop->str() : "", "route");
    note(node, "device", device_name(route.ifindex), "route");
  }

  json& row(const IpNet& cidr) {
    return rows_
        .try_emplace(cidr, json{{"podCIDR", cidr.str()},
                                {"node", ""},
                                {"kind", ""},
                                {"nextHop", ""},
                                {"device", ""},
                                {"mtu", 0},
                                {"why", ""},
                                {"session", ""},
                                {"inMap", false},
                                {"inRoutes", false},
                                {"problem", ""}})
        .first->second;
  }

  /// Stores the value if there was none before, else compares.
  static void note(json& node, const char* key, const std::string& value, const char* where) {
    if (node[key] == "") node[key] = value;
    if (node[key] != value && node["problem"] == "")
      node["problem"] = std::string("the ") + where + " has another " + key + ": " + value;
  }

  std::string device_name(unsigned ifindex) {
    auto link = find_link(netlink_, ifindex);
    return link && *link ? (*link)->name : "ifindex " + std::to_string(ifindex);
  }

  NetlinkSocket& netlink_;
  std::map<IpNet, json> rows_;
};

}  // namespace

Result<json> collect_nodes(const NodePaths& paths) {
  auto daemon = daemon_status(paths);
  if (!daemon) return fail(daemon);
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  NodeRows rows(*netlink);
  rows.add_wanted(*daemon);
  if (auto node_cidrs = open_node_cidrs(paths.bpffs)) {
    auto entries = node_cidrs->entries();
    if (!entries) return fail(entries);
    for (const auto& [cidr, entry] : *entries) rows.add_map_entry(cidr, entry);
  }
  auto routes = list_routes(*netlink);
  if (!routes) return fail(routes);
  rows.add_routes(*routes);
  const auto list_of = [&](const char* key) {
    return daemon->is_object() ? daemon->value(key, json::array()) : json::array();
  };
  return json{{"nodes", rows.take()},
              {"bgp", list_of("bgp")},
              {"skipped", list_of("skipped")},
              {"warnings", list_of("warnings")}};
}

}  // namespace kubecni
