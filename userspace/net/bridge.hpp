#pragma once

#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"

#include <compare>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// Makes sure that there is a bridge `name`, up, without multicast snooping: a query that
/// a pod sends would make it forget who listens, and end neighbour discovery on the node. A
/// new one gets `mac` explicitly, so that it never changes when ports come and go, and
/// `mtu`; one that exists keeps both, as addresses of pods depend on them.
/// Errors: EEXIST a link of another kind has the name.
Result<Link> ensure_bridge(NetlinkSocket& netlink, const std::string& name, const MacAddr& mac,
                           unsigned mtu_bytes);

/// Gives the link this MAC, for good: a bridge that nobody gave one takes that of some port.
Result<> set_link_mac(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac);

/// How a port of the bridge treats frames. kube-cni's ports reflect (a pod may
/// reach itself through a service) and, since their one address is in the FDB
/// from the start, neither learn nor take what is flooded for others. What a pod
/// sends from another MAC is dropped, and it takes part in no protocol of bridges.
struct BridgePort {
  bool hairpin = true;
  bool learning = false;
  bool unicast_flood = false;
  bool locked = true;             ///< takes only senders that the FDB has on this port
  bool bpdu_guard = true;         ///< a BPDU closes it, where the bridge speaks STP
  bool multicast_router = false;  ///< a query makes it one otherwise

  auto operator<=>(const BridgePort&) const = default;
};

/// Sets the port's flags and takes the link up, in one request.
/// Errors: ENODEV no such link; EOPNOTSUPP it is no port of a bridge.
Result<> set_bridge_port_up(NetlinkSocket& netlink, unsigned ifindex, const BridgePort& port);

/// Waits until the port takes part, for at most a second. It does so some time after its
/// carrier came, when the kernel's link watch gets to it (since 6.9: when somebody asks),
/// and loses what is sent until then. One that takes longer is no error: it follows.
/// Errors: ENODEV no such link; EINVAL it is no port of a bridge.
Result<> await_bridge_port(NetlinkSocket& netlink, unsigned ifindex);

/// Errors: ENODEV no such link; EINVAL it is no port of a bridge.
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

/// Puts `mac` into the bridge's forwarding database as reached through the
/// port `ifindex`, for good. Repeating the call changes nothing.
/// Errors: EADDRINUSE the bridge has that address itself, or reaches it through another
/// port; that stays as it is.
Result<> ensure_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac);

/// Of every bridge.
Result<std::vector<FdbEntry>> list_fdb(NetlinkSocket& netlink);

/// Whether the forwarding database has that static entry.
Result<bool> has_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac);

}  // namespace kubecni
