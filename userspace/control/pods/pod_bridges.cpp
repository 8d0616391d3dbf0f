#include "control/pods/pod_bridges.hpp"

#include "dataplane/kernel_path.hpp"
#include "net/bridge.hpp"
#include "pods/node_bridge.hpp"
#include "pods/uplink.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace kubecni {

namespace {

/// What the pods of a bridge need of it.
struct WantedBridge {
  std::vector<IpNet> addresses;
  unsigned mtu = 0;    ///< bytes
  std::string uplink;  ///< empty: none
};

/// By name. Pods whose host end is gone need none.
std::map<std::string, WantedBridge> wanted_bridges(const std::vector<Attachment>& attachments,
                                                   const std::vector<Link>& links) {
  std::map<std::string, WantedBridge> wanted;
  for (const Attachment& attachment : attachments) {
    const PodPort& port = attachment.port;
    if (port.is_routed()) continue;
    if (std::ranges::find(links, port.host_ifname, &Link::name) == links.end()) continue;
    WantedBridge& bridge = wanted[port.bridge];
    bridge.mtu = std::max(bridge.mtu, port.mtu);
    if (bridge.uplink.empty()) bridge.uplink = port.uplink;
    for (const IpNet& address : port.gateway_addresses()) {
      if (std::ranges::find(bridge.addresses, address) == bridge.addresses.end())
        bridge.addresses.push_back(address);
    }
  }
  return wanted;
}

void sync_own_fdb_entry(NetlinkSocket& netlink, const std::vector<FdbEntry>& fdb,
                        const Link& bridge, Outcome& outcome) {
  if (bridge.kind != "bridge" || has_own_fdb_entry(fdb, bridge)) return;
  outcome.apply(ensure_own_fdb_entry(netlink, bridge),
                "bridge " + bridge.name + " takes frames to its own MAC again");
}

/// While it can be told: the address may go later, with the PodCIDR.
void sync_alias(NetlinkSocket& netlink, const std::vector<LinkAddress>& addresses,
                const Link& bridge, Outcome& outcome) {
  if (bridge.kind != "bridge" || !bridge.alias.empty() || !has_derived_mac(bridge, addresses))
    return;
  outcome.apply(mark_bridge_as_ours(netlink, bridge.name),
                "bridge " + bridge.name + ", which an older version made, got its alias");
}

void sync_uplink(NetlinkSocket& netlink, const std::string& uplink, const std::vector<Link>& links,
                 const Link& bridge, Outcome& outcome) {
  if (uplink.empty()) return;
  const auto port = std::ranges::find(links, uplink, &Link::name);
  if (port != links.end() && port->master_ifindex == bridge.ifindex) return;
  auto ensured = ensure_uplink(netlink, uplink, bridge);
  if (!ensured) return outcome.fail(ensured.error().what);
  if (*ensured)
    outcome.changes.push_back("uplink " + uplink + " is a port of bridge " + bridge.name);
}

}  // namespace

void sync_pod_bridges(NetlinkSocket& netlink, const AttachmentStore& store,
                      const std::vector<Attachment>& attachments, const std::string& bridge,
                      const std::vector<Link>& links, Outcome& outcome) {
  const auto fdb = list_fdb(netlink);
  if (!fdb) return outcome.fail(fdb.error().what);
  const auto addresses = list_addresses(netlink);
  if (!addresses) return outcome.fail(addresses.error().what);
  auto wanted = wanted_bridges(attachments, links);
  wanted.try_emplace(bridge);
  for (const auto& [name, what] : wanted) {
    const auto before = std::ranges::find(links, name, &Link::name);
    const bool is_needed = !what.addresses.empty() || !what.uplink.empty();
    if (!is_needed && before == links.end()) continue;
    if (before == links.end()) {
      auto made = ensure_bridge_of_pods(netlink, store, name, what.addresses, what.mtu);
      outcome.apply(made ? Result<>() : fail(made), "bridge " + name + " made");
      if (made) sync_uplink(netlink, what.uplink, links, *made, outcome);
      continue;
    }
    sync_uplink(netlink, what.uplink, links, *before, outcome);
    if (!what.addresses.empty()) {
      auto ensured = ensure_node_bridge(netlink, name, what.addresses, what.mtu, before->mac);
      if (!ensured) outcome.fail(ensured.error().what);
    }
    sync_own_fdb_entry(netlink, *fdb, *before, outcome);
    sync_alias(netlink, *addresses, *before, outcome);
  }
}

}  // namespace kubecni
