#include "pods/uplink.hpp"

#include "net/address.hpp"
#include "net/bridge.hpp"
#include "net/route.hpp"
#include "net/sysctl.hpp"

#include <algorithm>
#include <cerrno>

namespace kubecni {

namespace {

constexpr const char* kTakeAnother =
    "; use a device that the node does not need itself, like a VLAN sub-interface without "
    "addresses";

bool is_link_local6(const IpNet& net) {
  static const IpNet link_local = IpNet::parse("fe80::/10").value();
  return !net.addr.is_v4() && link_local.contains(net.addr);
}

/// The node itself would lose what it has on a port of a bridge.
Result<> check_unused(NetlinkSocket& node, const Link& uplink) {
  auto addresses = list_addresses(node);
  if (!addresses) return fail(addresses);
  for (const LinkAddress& address : *addresses) {
    if (address.ifindex == uplink.ifindex && !is_link_local6(address.net))
      return failure(EBUSY, "uplink " + uplink.name + " has the address " + address.net.str() +
                                ", which the node would lose" + kTakeAnother);
  }
  auto routes = list_routes(node);
  if (!routes) return fail(routes);
  for (const Route& route : *routes) {
    if (route.ifindex == uplink.ifindex && route.unicast && !is_link_local6(route.dst))
      return failure(EBUSY, "the node's route to " + route.dst.str() + " is by uplink " +
                                uplink.name + ", and the node would lose it" + kTakeAnother);
  }
  return {};
}

Result<> check_kind(const Link& uplink) {
  if (uplink.has_ethernet && uplink.kind != "bridge") return {};
  return failure(EINVAL, "uplink " + uplink.name +
                             (uplink.has_ethernet ? " is a bridge" : " has no Ethernet frames") +
                             ", so it cannot be a port of a bridge; name an Ethernet device");
}

/// Two uplinks would join two networks.
Result<> check_is_only(NetlinkSocket& node, const std::string& name, const Link& bridge) {
  const std::string noted = uplink_in_alias(bridge);
  if (noted.empty() || noted == name) return {};
  auto other = find_link(node, noted);
  if (!other) return fail(other);
  if (!*other || (*other)->master_ifindex != bridge.ifindex) return {};
  return failure(EBUSY, "bridge " + bridge.name + " has the uplink " + noted + ", and " + name +
                            " would join both networks; give the network another \"bridge\", or "
                            "take " +
                            noted + " out (ip link set " + noted + " nomaster)");
}

/// Pods of other networks that have their gateway on the bridge would be in the one behind the
/// uplink, too. And the node would lose an address of its own: what a bridge with an uplink hands
/// to the node is dropped.
Result<> check_has_no_address(NetlinkSocket& node, const std::string& name, const Link& bridge) {
  auto addresses = list_addresses(node);
  if (!addresses) return fail(addresses);
  for (const LinkAddress& address : *addresses) {
    if (address.ifindex == bridge.ifindex && !is_link_local6(address.net))
      return failure(EBUSY, "bridge " + bridge.name + " has the address " + address.net.str() +
                                ", which the node would lose, and uplink " + name +
                                " would join the network of other pods there with the one behind "
                                "it; give the network another \"bridge\"");
  }
  return {};
}

/// ENOENT: the node has no IPv6.
Result<> ignore_router_advertisements(const std::string& bridge) {
  auto ignored = ensure_sysctl("net/ipv6/conf/" + bridge + "/accept_ra", "0");
  return ignored || ignored.error().code == ENOENT ? Result<>() : fail(ignored);
}

/// Before a bridge of ours gets the uplink.
Result<> prepare_bridge(NetlinkSocket& node, const std::string& name, const Link& bridge) {
  if (auto ignored = ignore_router_advertisements(bridge.name); !ignored) return ignored;
  return mark_bridge_as_ours(node, bridge.name, name);
}

}  // namespace

Result<Link> find_uplink(NetlinkSocket& node, const std::string& name, const std::string& bridge) {
  auto uplink = find_link(node, name);
  if (!uplink) return fail(uplink);
  if (!*uplink)
    return failure(ENODEV, "the node has no device " + name + ", the uplink of bridge " + bridge +
                               "; make it, or correct \"uplink\"");
  if (auto possible = check_kind(**uplink); !possible) return fail(possible);
  if ((*uplink)->master_ifindex == 0) {
    if (auto unused = check_unused(node, **uplink); !unused) return fail(unused);
    return **uplink;
  }
  auto master = find_link(node, (*uplink)->master_ifindex);
  if (!master) return fail(master);
  if (*master && (*master)->name == bridge) return **uplink;
  return failure(EBUSY, "uplink " + name + " belongs to " +
                            (*master ? (*master)->name : std::string("another device")) +
                            " already, so bridge " + bridge +
                            " cannot have it; take it out there (ip link set " + name +
                            " nomaster), or name another \"uplink\" or \"bridge\"");
}

Result<bool> ensure_uplink(NetlinkSocket& node, const std::string& name, const Link& bridge) {
  auto uplink = find_uplink(node, name, bridge.name);
  if (!uplink) return fail(uplink);
  if (auto none = check_has_no_address(node, name, bridge); !none) return fail(none);
  if (uplink->master_ifindex == bridge.ifindex) return false;
  if (auto only = check_is_only(node, name, bridge); !only) return fail(only);
  if (has_our_alias(bridge)) {
    if (auto taken = prepare_bridge(node, name, bridge); !taken) return fail(taken);
  }
  if (auto set = set_link_master(node, uplink->ifindex, bridge.ifindex); !set)
    return fail(set, "uplink " + name);
  if (auto up = set_link_up(node, uplink->ifindex); !up) return fail(up, "uplink " + name);
  // Otherwise the first packets of the pod that is made could be lost.
  if (auto open = await_bridge_port(node, uplink->ifindex); !open) return fail(open);
  return true;
}

}  // namespace kubecni
