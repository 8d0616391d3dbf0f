#pragma once

#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"

#include <string>

namespace kubecni {

/// Makes sure that there is a bridge `name`, up. A new one gets `mac`
/// explicitly, so that it never changes when ports come and go, and `mtu`; one
/// that exists keeps both, as addresses of pods depend on them.
/// Errors: EEXIST a link of another kind has the name.
Result<Link> ensure_bridge(NetlinkSocket& netlink, const std::string& name, const MacAddr& mac,
                           unsigned mtu_bytes);

/// How a port of the bridge treats frames. kube-cni's ports reflect (a pod may
/// reach itself through a service) and, since their one address is in the FDB
/// from the start, neither learn nor take what is flooded for others.
struct BridgePort {
  bool hairpin = true;
  bool learning = false;
  bool unicast_flood = false;

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

/// Puts `mac` into the bridge's forwarding database as reached through the
/// port `ifindex`, for good. Repeating the call changes nothing.
Result<> ensure_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac);

/// Whether the forwarding database has that static entry.
Result<bool> has_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac);

}  // namespace kubecni
