#include "pods/removal.hpp"

#include "base/file.hpp"
#include "dataplane/pins.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "dataplane/pod_neighbours.hpp"
#include "net/conntrack.hpp"
#include "net/link.hpp"
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

/// Takes the pod out of the maps, and its programs off. Maps of another schema are left to
/// their daemon. Where nothing is loaded there is nothing to do.
Result<> remove_from_ebpf(const PodPaths& paths, const Device& host,
                          const std::vector<IpAddr>& addresses) {
  auto endpoints = EndpointTable::open(paths.bpffs);
  if (!endpoints && endpoints.error().code == ENOENT)
    return std::filesystem::exists(PinPaths(paths.bpffs).links)
               ? detach_programs(paths.bpffs, KUBECNI_ON_POD, host)
               : Result<>();
  if (!endpoints) return fail(endpoints);
  return remove_pod(paths.bpffs, *endpoints, host, addresses);
}

/// What the node's tables have of the pod. Where its record is lost the port tells the bridge;
/// where that is gone, too, the daemon removes what belongs to no record.
Result<> forget_neighbours(NetlinkSocket& netlink, const std::optional<Attachment>& record,
                           const std::optional<Link>& host, std::vector<IpAddr> addresses) {
  unsigned bridge_ifindex = host ? host->master_ifindex : 0;
  if (record) {
    auto bridge = find_link(netlink, record->port.bridge);
    if (!bridge) return fail(bridge);
    if (*bridge) bridge_ifindex = (*bridge)->ifindex;
    addresses.push_back(record->port.pod_mac.link_local());
  }
  if (bridge_ifindex == 0) return {};
  return delete_neighbours_at(netlink, addresses, bridge_ifindex);
}

/// The pod stays as it was when nothing can be removed, as on a read-only disk. What cannot
/// be put back is found by the daemon.
void remember_neighbours(NetlinkSocket& netlink, const PodPort& port) {
  const auto bridge = find_link(netlink, port.bridge);
  if (bridge && *bridge) (void)ensure_neighbours_of(netlink, port, (*bridge)->ifindex);
}

/// Lets UDP clients of a hostPort or a service, which go on sending from the same
/// port, find who answers there now. No failure of that keeps a pod from going: the
/// flow ends by itself when the client pauses.
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
  // While the record is there, as it alone may know the bridge. A daemon that makes them
  // again in between removes them when the record is gone.
  const auto recorded = *record ? (*record)->port.plain_addresses() : std::vector<IpAddr>{};
  if (auto forgotten = forget_neighbours(*netlink, *record, *host, recorded); !forgotten)
    return fail(forgotten);
  // It tells the daemon that this goes for good. What is below can do without it: an
  // address that it alone knows is found by the interface.
  if (auto removed = attachments.remove(network, owner.container_id, owner.ifname); !removed) {
    if (*record) remember_neighbours(*netlink, (*record)->port);
    return fail(removed);
  }
  auto lease = unless_damaged(leases.find(owner));
  if (!lease) return fail(lease);
  auto addresses = *lease ? (*lease)->addresses : std::vector<IpAddr>{};
  for (const IpAddr& address : recorded)
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);

  // First nobody may be sent there any more, last the address is given away.
  const Device device{*host ? (*host)->ifindex : 0, host_ifname};
  if (auto removed = remove_from_ebpf(paths, device, addresses); !removed) return fail(removed);
  if (*host) {
    // Without a record.
    if (auto forgotten = forget_neighbours(*netlink, {}, *host, addresses); !forgotten)
      return fail(forgotten);
    if (auto deleted = delete_link(*netlink, device.ifindex); !deleted) return fail(deleted);
  }
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
