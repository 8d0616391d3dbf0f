#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "dataplane/pod_routes.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/pod_port.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// Makes sure that there is the bridge `name` with `addresses`, and that the node
/// forwards their families. A new bridge gets the MAC `known`, or else the one that
/// belongs to the first address, or a random one. One that is somebody else's keeps its
/// own for good, also when ports come and go. Repeating it changes nothing. Runs in the
/// node's namespace.
Result<Link> ensure_node_bridge(NetlinkSocket& node, const std::string& name,
                                const std::vector<IpNet>& addresses, unsigned mtu_bytes,
                                std::optional<MacAddr> known = std::nullopt);

/// Creates the pod's veth and takes the host's end up; the pod's is in the namespace
/// `pod_netns_fd`. Returns the host end. On failure, what was created is still
/// there: remove_pod_port() takes it away.
/// Errors: EEXIST the pod has an interface of that name; EADDRINUSE somebody on the bridge
/// has its MAC.
Result<Link> create_pod_port(NetlinkSocket& node, int pod_netns_fd, const PodPort& port,
                             unsigned bridge_ifindex);

/// Takes the pod's end up and gives it its addresses and the neighbours that are its gateways,
/// as far as there are any yet.
Result<> configure_pod_port(int pod_netns_fd, const PodPort& port);

/// The routes of a pod's interface, once they were made.
struct PodRoutesMade {
  std::vector<PodRoute> made;
  std::vector<std::string> left_out;  ///< a phrase each, with the interface that has it
};

/// Gives the pod the routes of `port` as plan_pod_routes() has it: what leads by another
/// interface of the pod is left alone.
/// Errors: EEXIST somebody has made one of them in the meantime.
Result<PodRoutesMade> add_pod_routes(int pod_netns_fd, const PodPort& port, bool takes_default);

/// Waits until the node takes what the pod sends: until the bridge forwards for its port,
/// and takes packets to its own IPv6 addresses. It takes the kernel some milliseconds
/// after both ends are up.
Result<> await_pod_port(NetlinkSocket& node, const Link& host, const PodPort& port);

/// Puts the host end back on the bridge, with its settings, FDB entry and neighbours, after
/// the bridge was deleted or some of it was changed. Errors: ENODEV one of them is gone;
/// EADDRINUSE somebody else on the bridge has its MAC.
Result<> restore_pod_port(NetlinkSocket& node, const Link& host, const Link& bridge,
                          const PodPort& port);

/// Deletes the host end and with it the pod's; absent is success.
Result<> remove_pod_port(NetlinkSocket& node, const std::string& host_ifname);

/// What of the pod's kernel path is not as it should be, a phrase each.
Result<std::vector<std::string>> differences(NetlinkSocket& node, int pod_netns_fd,
                                             const PodPort& port);

}  // namespace kubecni
