#pragma once

#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"

#include <string>

namespace kubecni {

/// The device `name`, by which the pods of the bridge `bridge` are in a network outside of the node
/// on layer 2: it is a port of the bridge, or can become one. The device is the operator's;
/// kube-cni makes it a port, and nothing else. Runs in the node's namespace. Errors: ENODEV there
/// is no such device; EBUSY it is a port of another device, or the node itself uses it; EINVAL a
/// bridge cannot have it as a port.
Result<Link> find_uplink(NetlinkSocket& node, const std::string& name, const std::string& bridge);

/// Makes the device a port of the bridge, up, and notes it in the alias of a bridge of ours. The
/// node takes no part in the network: such a bridge ignores router advertisements. Repeating it
/// changes nothing. Result: whether it was no port.
/// Errors: those of find_uplink(); EBUSY the bridge has another uplink, or is ours and has the
/// addresses of gateways.
Result<bool> ensure_uplink(NetlinkSocket& node, const std::string& name, const Link& bridge);

}  // namespace kubecni
