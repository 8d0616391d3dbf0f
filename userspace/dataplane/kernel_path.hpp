#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// One pod's place on the kernel path: a port of the node's bridge, an address,
/// and a default route via the bridge. It is whole by itself; eBPF comes on top.
struct PodPort {
  std::string bridge;
  IpNet gateway;  ///< the bridge's own address
  std::string host_ifname;
  MacAddr host_mac;
  std::string pod_ifname;
  MacAddr pod_mac;
  IpNet address;  ///< with the subnet's prefix
  unsigned mtu = 0;
};

/// Makes sure that the node forwards IPv4 and has the bridge `name` with the
/// address `gateway`; a new one gets the MAC that belongs to that address.
/// Repeating it changes nothing. Runs in the node's namespace.
Result<Link> ensure_node_bridge(NetlinkSocket& node, const std::string& name, const IpNet& gateway,
                                unsigned mtu_bytes);

/// Creates the pod's veth and configures both ends; the pod's is in the
/// namespace `pod_netns_fd`. Returns the host end. On failure, what was created
/// is still there: remove_pod_port() takes it away.
/// Errors: EEXIST the pod has an interface of that name.
Result<Link> add_pod_port(NetlinkSocket& node, int pod_netns_fd, const PodPort& port,
                          unsigned bridge_ifindex);

/// Puts the host end back on the bridge, with its settings and FDB entry, after
/// the bridge was deleted. Errors: ENODEV one of them is gone.
Result<> restore_pod_port(NetlinkSocket& node, const Link& host, const Link& bridge,
                          const PodPort& port);

/// Deletes the host end and with it the pod's; absent is success.
Result<> remove_pod_port(NetlinkSocket& node, const std::string& host_ifname);

/// What of the pod's kernel path is not as it should be, a phrase each.
Result<std::vector<std::string>> differences(NetlinkSocket& node, int pod_netns_fd,
                                             const PodPort& port);

}  // namespace kubecni
