#include "pods/host_ports.hpp"

#include "base/file.hpp"
#include "net/address.hpp"
#include "net/conntrack.hpp"
#include "net/sysctl.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

namespace kubecni {

namespace {

/// The error that names who has one of the attachment's host ports; success if nobody has.
Result<> find_conflict(const std::vector<Attachment>& others, const Attachment& attachment) {
  const auto wanted = host_ports_of(attachment.mappings);
  for (const Attachment& other : others) {
    // A runtime may give the ports of a container to each of its networks.
    if (other.container_id == attachment.container_id) continue;
    for (const HostPort& taken : host_ports_of(other.mappings))
      if (std::ranges::find(wanted, taken) != wanted.end())
        return failure(EADDRINUSE, "the host's " + taken.str() + " leads to " + other.pod_text() +
                                       " (" + other.port.addresses_text() + ") already");
  }
  return {};
}

/// A client that sent to the port before keeps sending from the same port of its own, and its
/// packets would go on to wherever they went then.
Result<> forget_earlier_flows(NetlinkSocket& netlink, const HostPorts& ports) {
  std::set<HostPort> udp;
  std::set<int> families;
  for (const auto& [port, socket] : ports) {
    if (port.protocol != PortProtocol::kUdp) continue;
    udp.insert(port);
    families.insert(port.family);
  }
  if (udp.empty()) return {};
  auto own = list_addresses(netlink);
  if (!own) return fail(own);
  const auto leads_elsewhere = [&](const UdpFlow& flow) {
    HostPort port{.family = flow.destination.family(),
                  .host_ip = flow.destination,
                  .protocol = PortProtocol::kUdp,
                  .port = flow.destination_port};
    auto found = ports.find(port);
    port.host_ip.reset();
    if (found == ports.end() && std::ranges::any_of(*own, [&](const LinkAddress& address) {
          return address.net.addr == flow.destination;
        }))
      found = ports.find(port);
    return found != ports.end() && flow.answered_by != found->second.addr;
  };
  for (const int family : families) {
    auto forgotten = forget_udp_flows(family, leads_elsewhere);
    if (!forgotten) return fail(forgotten);
  }
  return {};
}

Result<> add_to_table(const AttachmentStore& store, const HostPorts& own) {
  auto lock = store.lock_host_ports();
  if (!lock) return fail(lock);
  auto table = read_host_port_table();
  if (!table) return fail(table);
  const HostPortElements before = table->value_or(HostPortElements{});
  HostPorts ports = before.ports;
  for (const auto& [port, socket] : own) ports.emplace(port, socket);
  return write_host_port_table(before, elements_for(ports));
}

/// What is left of the table without the attachment's ports.
HostPorts without(HostPorts ports, const std::optional<Attachment>& record,
                  const std::vector<IpAddr>& addresses) {
  const HostPorts own = record ? record->host_ports() : HostPorts{};
  std::erase_if(ports, [&](const auto& entry) {
    if (!record) return std::ranges::find(addresses, entry.second.addr) != addresses.end();
    const auto found = own.find(entry.first);
    return found != own.end() && found->second == entry.second;
  });
  return ports;
}

}  // namespace

Result<> claim_host_ports(const AttachmentStore& store, const Attachment& attachment) {
  if (attachment.mappings.empty()) return store.save(attachment);
  auto lock = store.lock_host_ports();
  if (!lock) return fail(lock);
  auto listing = store.list();
  if (!listing) return fail(listing);
  if (auto free = find_conflict(listing->attachments, attachment); !free) return free;
  return store.save(attachment);
}

Result<std::vector<std::string>> ensure_host_port_settings(const std::string& device) {
  std::vector<std::string> changes;
  auto localhost = ensure_localhost_ports(device);
  if (!localhost) return fail(localhost);
  if (*localhost) changes.push_back("set net/ipv4/conf/" + device + "/route_localnet=1");
  // Answers between two pods of the bridge have to meet conntrack. Without br_netfilter there is no
  // such setting.
  for (const char* setting :
       {"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"}) {
    auto written = ensure_sysctl(setting, "1");
    if (!written && written.error().code != ENOENT) return fail(written);
    if (written && *written) changes.push_back(std::string("set ") + setting + "=1");
  }
  return changes;
}

Result<> map_host_ports(NetlinkSocket& netlink, const AttachmentStore& store,
                        const Attachment& attachment) {
  const HostPorts own = attachment.host_ports();
  if (own.empty()) return {};
  if (auto added = add_to_table(store, own); !added) return added;
  if (auto set = ensure_host_port_settings(attachment.port.gateway_device()); !set)
    return fail(set);
  // Not every kernel can list flows (nf_conntrack_netlink); DEL does without, too.
  (void)forget_earlier_flows(netlink, own);
  return {};
}

Result<> remove_record(const AttachmentStore& store, const std::string& network,
                       const LeaseOwner& owner, const std::optional<Attachment>& record,
                       const std::vector<IpAddr>& addresses) {
  const auto remove = [&] { return store.remove(network, owner.container_id, owner.ifname); };
  if (record ? record->mappings.empty() : addresses.empty()) return remove();
  // Without a table there is nothing to agree with.
  if (auto table = read_host_port_table(); !table || !*table) return table ? remove() : fail(table);
  auto lock = store.lock_host_ports();
  if (!lock) return fail(lock);
  auto table = read_host_port_table();
  if (!table) return fail(table);
  const HostPortElements before = table->value_or(HostPortElements{});
  const auto after = elements_for(without(before.ports, record, addresses));
  if (*table)
    if (auto changed = change_host_ports(before, after); !changed) return changed;
  return remove();
}

Result<HostPortLosses> find_host_port_losses(const Attachment& attachment) {
  HostPortLosses losses;
  const HostPorts own = attachment.host_ports();
  if (own.empty()) return losses;
  auto table = read_host_port_table();
  if (!table) return fail(table);
  if (!*table) {
    losses.of_node.push_back(std::string("nftables table inet ") + kHostPortTable + " is missing");
    return losses;
  }
  for (const auto& [port, socket] : own) {
    const auto found = (*table)->ports.find(port);
    if (found == (*table)->ports.end())
      losses.of_pod.push_back("the host's " + port.str() + " does not lead to " + socket.str());
    else if (found->second != socket)
      losses.of_pod.push_back("the host's " + port.str() + " leads to " + found->second.str() +
                              " instead of " + socket.str());
  }
  const std::string setting =
      "net/ipv4/conf/" + attachment.port.gateway_device() + "/route_localnet";
  if (const auto value = read_file("/proc/sys/" + setting); value && *value == "0\n")
    losses.of_node.push_back(setting + "=0");
  return losses;
}

HostPorts plan_all_host_ports(const std::vector<Attachment>& attachments) {
  HostPorts all;
  for (const Attachment& attachment : attachments)
    for (const auto& [port, socket] : attachment.host_ports()) all.emplace(port, socket);
  return all;
}

}  // namespace kubecni
