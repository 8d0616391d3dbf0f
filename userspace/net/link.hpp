#pragma once

#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// A network interface as reported by RTM_GETLINK.
struct Link {
  unsigned ifindex = 0;
  std::string name;
  std::string kind;        ///< "veth", "bridge"; empty for a NIC
  std::string alias = {};  ///< a text for people, which stays with the link
  MacAddr mac;
  unsigned mtu = 0;             ///< bytes
  unsigned master_ifindex = 0;  ///< the bridge it is a port of, or 0
  bool up = false;              ///< IFF_UP
  bool has_ethernet = true;  ///< false: its frames begin with the IP header, as of tun, WireGuard
};

/// The link called `name`; empty if there is none.
Result<std::optional<Link>> find_link(NetlinkSocket& netlink, const std::string& name);
/// The link with `ifindex`; empty if there is none.
Result<std::optional<Link>> find_link(NetlinkSocket& netlink, unsigned ifindex);
Result<std::vector<Link>> list_links(NetlinkSocket& netlink);

/// A veth pair between a bridge and a pod.
struct VethSpec {
  std::string host_name;
  MacAddr host_mac;
  unsigned bridge_ifindex = 0;
  std::string pod_name;
  MacAddr pod_mac;
  int pod_netns_fd = -1;
  unsigned mtu = 0;  ///< bytes, of both ends
};

/// Creates the pair: the host end as a port of the bridge, the pod end directly in its namespace;
/// both down. It is one request: all or nothing.
/// Errors: EEXIST one of the names is taken; EPERM no CAP_NET_ADMIN.
Result<> create_veth(NetlinkSocket& netlink, const VethSpec& veth);

/// For a link that is down, since it gets the address when it goes up. Kernels refuse this in the
/// request that creates it. Errors: ENODEV no such link; EAFNOSUPPORT the kernel has no IPv6.
Result<> keep_without_link_local(NetlinkSocket& netlink, const Link& link);

/// Creates a device that sends back what is led to it, after its queueing discipline; down, and
/// without an IPv6 address of its own. Errors: EEXIST the name is taken; EOPNOTSUPP the kernel has
/// no `ifb`.
Result<> create_ifb(NetlinkSocket& netlink, const std::string& name, unsigned mtu);

/// Errors: ENODEV no such link.
Result<> set_link_up(NetlinkSocket& netlink, unsigned ifindex);

/// Makes the link a port of the bridge. Errors: ENODEV one of them is gone.
Result<> set_link_master(NetlinkSocket& netlink, unsigned ifindex, unsigned master_ifindex);

/// Deletes the link; absent is success.
Result<> delete_link(NetlinkSocket& netlink, unsigned ifindex);

}  // namespace kubecni
