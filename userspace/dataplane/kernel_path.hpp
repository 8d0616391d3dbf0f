#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "dataplane/host_state.hpp"
#include "dataplane/pod_routes.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/pod_port.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The setting by which the kernel forwards what comes in by `device` alone. For IPv6 the kernel
/// asks only all devices' setting; one device's says whether the node is a router there.
std::string forwarding_of_device(int family, const std::string& device);

/// The settings that have to be 1 for packets to pass through the node by `device`, the bridge or a
/// pod's host end in mode ptp, for the families of `addresses`.
std::vector<std::string> forwarding_settings(const std::string& device,
                                             const std::vector<IpNet>& addresses);

/// Makes these settings so, and those of IPv6 on `device` if one of `addresses` is of IPv6.
Result<> ensure_forwarding(const std::string& device, const std::vector<IpNet>& addresses);

/// Makes sure that the bridge `name` exists with `addresses`, and that the node forwards their
/// families. A new bridge gets the MAC `known`, else the one that belongs to the first address, or
/// a random one. An existing foreign bridge keeps its MAC for good, even when ports come and go.
/// Repeating it changes nothing. Runs in the node's namespace.
Result<Link> ensure_node_bridge(NetlinkSocket& node, const std::string& name,
                                const std::vector<IpNet>& addresses, unsigned mtu_bytes,
                                std::optional<MacAddr> known = std::nullopt);

/// Creates the pod's veth and sets the host's end up; the pod's end is in the namespace
/// `pod_netns_fd`. `bridge_ifindex` is 0 in mode ptp. Returns the host end. On failure,
/// remove_pod_port() removes what was created.
/// Errors: EEXIST the pod has an interface of that name; EADDRINUSE somebody on the bridge
/// has its MAC.
Result<Link> create_pod_port(NetlinkSocket& node, int pod_netns_fd, const PodPort& port,
                             unsigned bridge_ifindex);

/// Sets the pod's end up with its addresses, and with neighbours for the gateways that exist so
/// far.
Result<> configure_pod_port(int pod_netns_fd, const PodPort& port);

/// The routes of a pod's interface after they were made.
struct PodRoutesMade {
  std::vector<PodRoute> made;
  std::vector<std::string> left_out;  ///< a phrase each, with the interface that has it
};

/// Creates the routes of `port` as plan_pod_routes() says: routes by other interfaces of the pod
/// stay.
/// Errors: EEXIST somebody has made one of them in the meantime.
Result<PodRoutesMade> add_pod_routes(int pod_netns_fd, const PodPort& port, bool takes_default);

/// Waits until the node accepts the pod's packets: the bridge forwards for its port, and accepts
/// packets to its own IPv6 addresses. The kernel takes some milliseconds for this after both ends
/// are up.
Result<> await_pod_port(NetlinkSocket& node, const Link& host, const PodPort& port);

/// Puts the host end back on the bridge, with its settings, FDB entry and neighbours, after the
/// bridge was deleted or changed. In mode ptp, `gateway_device` is the host end itself, and gets
/// its addresses, routes and neighbours. Errors: ENODEV one of them is gone; EADDRINUSE somebody
/// else on the bridge has its MAC.
Result<> restore_pod_port(NetlinkSocket& node, const Link& host, const Link& gateway_device,
                          const PodPort& port);

/// Deletes the host end and with it the pod's; absent is success.
Result<> remove_pod_port(NetlinkSocket& node, const std::string& host_ifname);

/// What is wrong with the pod's kernel path, on both sides.
Result<Differences> differences(NetlinkSocket& node, int pod_netns_fd, const PodPort& port);

}  // namespace kubecni
