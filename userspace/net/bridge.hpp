#pragma once

#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/address.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"

#include <compare>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// The alias of a bridge that we made. Its MAC and addresses may be others by now. "kube-cni,
/// uplink eth1" if we made that device a port of it.
inline constexpr const char* kBridgeAlias = "kube-cni";

/// Whether the alias says that we made the bridge.
bool has_our_alias(const Link& bridge);

/// The device that the alias of a bridge of ours names as its uplink; empty if none.
std::string uplink_in_alias(const Link& bridge);

/// Makes sure that the bridge `name` exists and is up, without multicast snooping: with it, a pod's
/// query would make the bridge forget the listeners, and end neighbour discovery on the node. A new
/// bridge gets `mtu`, and `mac` explicitly, so that it never changes when ports come and go, and
/// kBridgeAlias. An existing one keeps what it has, as addresses of pods depend on it.
/// Errors: EEXIST a link of another kind has the name.
Result<Link> ensure_bridge(NetlinkSocket& netlink, const std::string& name, const MacAddr& mac,
                           unsigned mtu_bytes);

/// Gives the bridge kBridgeAlias, with the uplink if one is given.
Result<> mark_bridge_as_ours(NetlinkSocket& netlink, const std::string& name,
                             const std::string& uplink = "");

/// Makes the bridge hand the packets between its ports to netfilter's rules for IPv4 and IPv6,
/// whatever the sysctls bridge-nf-call-iptables and -ip6tables say. Result: whether it did not.
/// Errors: ENODEV no such link; EOPNOTSUPP the kernel has no br_netfilter, or it is not loaded:
/// then no rule sees these packets.
Result<bool> ensure_bridge_meets_netfilter(NetlinkSocket& netlink, const Link& bridge);

/// Whether the bridge's MAC is derived from one of its addresses. That tells a bridge of a version
/// of ours that gave no alias, as long as it has the address.
bool has_derived_mac(const Link& bridge, const std::vector<LinkAddress>& addresses);

/// Fixes the link's MAC: a bridge without an explicit one takes that of some port.
Result<> set_link_mac(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac);

/// How a port of the bridge treats frames. kube-cni's ports reflect, as a pod may reach itself
/// through a service. Their one address is in the FDB from the start, so they neither learn nor get
/// flooded frames. The port drops what a pod sends from another MAC, and takes part in no protocol
/// of bridges.
struct BridgePort {
  bool hairpin = true;
  bool learning = false;
  bool unicast_flood = false;
  bool locked = true;             ///< accepts only senders that the FDB has on this port
  bool bpdu_guard = true;         ///< a BPDU closes it, if the bridge speaks STP
  bool multicast_router = false;  ///< otherwise a query would make it one

  auto operator<=>(const BridgePort&) const = default;
};

/// Sets the port's flags and sets the link up, in one request. Errors: ENODEV no such link;
/// EOPNOTSUPP it is not a port of a bridge.
Result<> set_bridge_port_up(NetlinkSocket& netlink, unsigned ifindex, const BridgePort& port);

/// Waits until the port forwards, for at most a second. That happens some time after its carrier
/// came, when the kernel's link watch runs (since 6.9: when somebody asks); frames sent earlier are
/// lost. A timeout is no error: the port follows later.
/// Errors: ENODEV no such link; EINVAL it is not a port of a bridge.
Result<> await_bridge_port(NetlinkSocket& netlink, unsigned ifindex);

/// Errors: ENODEV no such link; EINVAL it is not a port of a bridge.
Result<BridgePort> get_bridge_port(NetlinkSocket& netlink, unsigned ifindex);

/// The flags of every port of every bridge, by ifindex.
Result<std::map<unsigned, BridgePort>> list_bridge_ports(NetlinkSocket& netlink);

/// An address in a bridge's forwarding database.
struct FdbEntry {
  unsigned bridge_ifindex = 0;
  unsigned ifindex = 0;  ///< the port, or the bridge itself
  MacAddr mac;
  bool is_static = false;  ///< reached through the port, for good
  bool is_local = false;   ///< of the device itself

  auto operator<=>(const FdbEntry&) const = default;
};

/// Adds a permanent entry to the bridge's forwarding database: `mac` is reached through the port
/// `ifindex`. Repeating the call changes nothing.
/// Errors: EADDRINUSE the bridge has that address itself, or reaches it through another port; that
/// entry stays.
Result<> ensure_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac);

/// Adds the entry by which the bridge takes frames to its own MAC for itself. The kernel makes it
/// with the bridge, and never again after somebody flushed the forwarding database. Repeating the
/// call changes nothing. Errors: ENODEV no such link; EINVAL it is not a bridge.
Result<> ensure_own_fdb_entry(NetlinkSocket& netlink, const Link& bridge);

/// Whether `fdb` says that the bridge takes frames to its own MAC for itself.
bool has_own_fdb_entry(const std::vector<FdbEntry>& fdb, const Link& bridge);

/// The entries of every bridge.
Result<std::vector<FdbEntry>> list_fdb(NetlinkSocket& netlink);

/// Whether the forwarding database has that static entry.
Result<bool> has_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac);

}  // namespace kubecni
