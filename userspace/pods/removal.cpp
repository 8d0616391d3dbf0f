#include "pods/removal.hpp"

#include "base/file.hpp"
#include "dataplane/pins.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "dataplane/pod_mac.hpp"
#include "dataplane/pod_neighbours.hpp"
#include "dataplane/schema_change.hpp"
#include "net/conntrack.hpp"
#include "net/link.hpp"
#include "pods/bandwidth.hpp"
#include "pods/host_ports.hpp"
#include "pods/policy_entry.hpp"
#include "state/attachment.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>

namespace kubecni {

namespace {

/// A damaged record must not keep the rest from being removed.
template <typename T>
Result<std::optional<T>> unless_damaged(Result<std::optional<T>> found) {
  if (!found && found.error().code == EBADMSG) return std::nullopt;
  return found;
}

/// Removes the pod from the maps, also of other schemas, and detaches its programs. Does nothing if
/// nothing is loaded. `network` is 0 if unknown.
Result<> remove_from_ebpf(const PodPaths& paths, const Device& host, unsigned network,
                          const std::vector<IpAddr>& addresses) {
  if (network != 0) {
    auto erased = erase_from_other_schemas(paths.bpffs, network, addresses);
    if (!erased) return erased;
  }
  auto endpoints = EndpointTable::open(paths.bpffs);
  if (!endpoints && endpoints.error().code == ENOENT)
    return std::filesystem::exists(PinPaths(paths.bpffs).links)
               ? detach_programs(paths.bpffs, KUBECNI_ON_POD, host)
               : Result<>();
  if (!endpoints) return fail(endpoints);
  return remove_pod(paths.bpffs, *endpoints, host, addresses);
}

/// The pod's bridge; 0 if unknown. If the record is lost, the port tells it.
Result<unsigned> find_bridge(NetlinkSocket& netlink, const std::optional<Attachment>& record,
                             const std::optional<Link>& host) {
  const unsigned of_port = host ? host->master_ifindex : 0;
  if (!record) return of_port;
  auto bridge = find_link(netlink, record->port.bridge);
  if (!bridge) return fail(bridge);
  return *bridge ? (*bridge)->ifindex : of_port;
}

/// The pod's entries in the node's tables. If the bridge is unknown, the daemon removes entries
/// that belong to no record.
Result<> forget_neighbours(NetlinkSocket& netlink, const std::optional<Attachment>& record,
                           unsigned bridge_ifindex, std::vector<IpAddr> addresses) {
  if (bridge_ifindex == 0) return {};
  if (record) addresses.push_back(record->port.pod_mac.link_local());
  return delete_neighbours_at(netlink, addresses, bridge_ifindex);
}

/// As PodPort::all_addresses(). Without the record, the pod had the usual MAC.
std::vector<IpAddr> with_link_local(const std::optional<Attachment>& record,
                                    std::vector<IpAddr> addresses) {
  if (record)
    addresses.push_back(record->port.pod_mac.link_local());
  else if (!addresses.empty())
    addresses.push_back(pod_mac_of(addresses.front()).link_local());
  return addresses;
}

/// The pod stays as it was if nothing can be removed, as on a read-only disk. The daemon finds what
/// cannot be restored.
void remember_neighbours(NetlinkSocket& netlink, const PodPort& port) {
  const auto bridge = find_link(netlink, port.bridge);
  if (bridge && *bridge) (void)ensure_neighbours_of(netlink, port, (*bridge)->ifindex);
}

/// Lets UDP clients of a hostPort or a service, which keep sending from the same port, reach the
/// new backend. A failure does not keep the pod from going: the flow ends by itself when the client
/// pauses.
void forget_flows_to(const std::vector<IpAddr>& addresses) {
  for (const IpAddr& address : addresses) (void)forget_udp_flows_to(address);
}

}  // namespace

Result<std::vector<IpAddr>> remove_attachment(const PodPaths& paths, const std::string& network,
                                              const LeaseOwner& owner) {
  const AttachmentStore attachments(paths.state_dir);
  LeaseStore leases(paths.state_dir, network);
  auto record = unless_damaged(attachments.find(network, owner.container_id, owner.ifname));
  if (!record) return fail(record);
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  const std::string host_ifname = host_ifname_for(network, owner.container_id, owner.ifname);
  auto host = find_link(*netlink, host_ifname);
  if (!host) return fail(host);
  // Runs while the record exists, which alone may know the bridge. If the daemon restores the
  // entries in between, it removes them when the record is gone.
  const auto recorded = *record ? (*record)->port.plain_addresses() : std::vector<IpAddr>{};
  auto lease = unless_damaged(leases.find(owner));
  if (!lease) return fail(lease);
  auto addresses = *lease ? (*lease)->addresses : std::vector<IpAddr>{};
  for (const IpAddr& address : recorded)
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  auto bridge = find_bridge(*netlink, *record, *host);
  if (!bridge) return fail(bridge);
  if (auto forgotten = forget_neighbours(*netlink, *record, *bridge, recorded); !forgotten)
    return fail(forgotten);
  // Without the record, the daemon does not restore the pod. The steps below work without it: they
  // find an address that only the record knew by the interface.
  if (auto removed = remove_record(attachments, network, owner, *record, addresses); !removed) {
    if (*record) remember_neighbours(*netlink, (*record)->port);
    return fail(removed);
  }

  // First, nothing may be sent there any more; last, the address is given away.
  const Device device{*host ? (*host)->ifindex : 0, host_ifname};
  if (auto removed = remove_from_ebpf(paths, device, *bridge, addresses); !removed)
    return fail(removed);
  if (*host) {
    // Without a record.
    if (auto forgotten = forget_neighbours(*netlink, {}, *bridge, addresses); !forgotten)
      return fail(forgotten);
    if (auto deleted = delete_link(*netlink, device.ifindex); !deleted) return fail(deleted);
    // The daemon may have written the record again: the pod seemed to live as long as its veth.
    auto again = unless_damaged(attachments.find(network, owner.container_id, owner.ifname));
    if (!again) return fail(again);
    auto removed = remove_record(attachments, network, owner, *again, addresses);
    if (!removed) return fail(removed);
  }
  // When nobody has a reason to make it again.
  if (auto removed = remove_bandwidth(*netlink, host_ifname); !removed) return fail(removed);
  auto forgotten = forget_policies(paths.state_dir, with_link_local(*record, addresses));
  if (!forgotten) return fail(forgotten);
  forget_flows_to(addresses);
  if (auto released = leases.release(owner); !released) return fail(released);
  return addresses;
}

std::string find_damage(const PodPaths& paths, const std::string& network,
                        const LeaseOwner& owner) {
  auto record = AttachmentStore(paths.state_dir).find(network, owner.container_id, owner.ifname);
  if (!record) return record.error().what;
  auto lease = LeaseStore(paths.state_dir, network).find(owner);
  return lease ? "" : lease.error().what;
}

Result<std::vector<std::string>> list_networks(const PodPaths& paths) {
  return list_directory(paths.state_dir / "ipam");
}

Result<std::vector<LeaseOwner>> list_attachments(const PodPaths& paths,
                                                 const std::string& network) {
  auto owners = LeaseStore(paths.state_dir, network).owners();
  if (!owners) return owners;
  auto keys = AttachmentStore(paths.state_dir).keys(network);
  if (!keys) return fail(keys);
  std::set<LeaseOwner> all(owners->begin(), owners->end());
  for (const auto& key : *keys) {
    if (const auto owner = LeaseOwner::from_key(key)) all.insert(*owner);
  }
  return std::vector<LeaseOwner>(all.begin(), all.end());
}

}  // namespace kubecni
