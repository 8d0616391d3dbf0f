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

/// Where the node has the pod: its bridge or, in mode ptp, its host end. 0 if unknown. If the
/// record is lost, the host end tells it.
Result<unsigned> find_gateway_device(NetlinkSocket& netlink,
                                     const std::optional<Attachment>& record,
                                     const std::optional<Link>& host) {
  const unsigned of_host = !host                       ? 0
                           : host->master_ifindex != 0 ? host->master_ifindex
                                                       : host->ifindex;
  if (!record) return of_host;
  auto device = find_link(netlink, record->port.gateway_device());
  if (!device) return fail(device);
  return *device ? (*device)->ifindex : of_host;
}

/// As network_of(). 0 if it is unknown.
unsigned find_network(const std::optional<Attachment>& record, const std::optional<Link>& host,
                      unsigned gateway_device) {
  const bool is_routed = record ? record->port.is_routed() : host && host->master_ifindex == 0;
  return is_routed ? KUBECNI_ROUTED_NETWORK : gateway_device;
}

/// The pod's entries in the node's tables. If the device is unknown, the daemon removes entries
/// that belong to no record.
Result<> forget_neighbours(NetlinkSocket& netlink, const std::optional<Attachment>& record,
                           unsigned gateway_device, std::vector<IpAddr> addresses) {
  if (gateway_device == 0) return {};
  if (record) addresses.push_back(record->port.pod_mac.link_local());
  return delete_neighbours_at(netlink, addresses, gateway_device);
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
  const auto device = find_link(netlink, port.gateway_device());
  if (device && *device) (void)ensure_neighbours_of(netlink, port, (*device)->ifindex);
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
  auto gateway_device = find_gateway_device(*netlink, *record, *host);
  if (!gateway_device) return fail(gateway_device);
  if (auto forgotten = forget_neighbours(*netlink, *record, *gateway_device, recorded); !forgotten)
    return fail(forgotten);
  // Without the record, the daemon does not restore the pod. The steps below work without it: they
  // find an address that only the record knew by the interface.
  if (auto removed = remove_record(attachments, network, owner, *record, addresses); !removed) {
    if (*record) remember_neighbours(*netlink, (*record)->port);
    return fail(removed);
  }

  // First, nothing may be sent there any more; last, the address is given away.
  const Device device{*host ? (*host)->ifindex : 0, host_ifname};
  const unsigned ebpf_network = find_network(*record, *host, *gateway_device);
  if (auto removed = remove_from_ebpf(paths, device, ebpf_network, addresses); !removed)
    return fail(removed);
  if (*host) {
    // Without a record.
    if (auto forgotten = forget_neighbours(*netlink, {}, *gateway_device, addresses); !forgotten)
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
