#include "control/pods/host_port_sync.hpp"

#include "net/bridge.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace kubecni {

namespace {

const std::string kTableName = std::string("nftables table inet ") + kHostPortTable;

/// A pod that has no interface any more is not reached, though its record may still be there.
std::vector<Attachment> living(const std::vector<Attachment>& recorded,
                               const std::vector<Attachment>& awaited,
                               const std::vector<Link>& links) {
  std::vector<Attachment> found;
  for (const auto* attachments : {&recorded, &awaited})
    for (const Attachment& attachment : *attachments)
      if (!attachment.mappings.empty() &&
          std::ranges::find(links, attachment.port.host_ifname, &Link::name) != links.end())
        found.push_back(attachment);
  return found;
}

std::string describe_table(const std::string& known, const std::string& before,
                           const std::string& after) {
  if (before == after) return "";
  if (before.empty())
    return kTableName + (known.empty() ? " made" : " made again: somebody deleted it");
  return kTableName + (known.empty() ? " changed" : " put right: somebody changed it");
}

/// Notes those of `some` that `others` has not, or with another end.
void describe_ports(const HostPorts& some, const HostPorts& others, const std::string& what,
                    std::vector<std::string>& changes) {
  std::string ports;
  for (const auto& [port, socket] : some) {
    const auto other = others.find(port);
    if (other != others.end() && other->second == socket) continue;
    ports += (ports.empty() ? "" : ", ") + port.str() + " to " + socket.str();
  }
  if (!ports.empty()) changes.push_back(what + ports);
}

}  // namespace

Result<HostPortSync> HostPortSync::open() {
  auto nftables = Nftables::open();
  if (!nftables) return fail(nftables);
  return HostPortSync(std::move(*nftables));
}

/// Reads the records again, now that no ADD or DEL changes them.
Result<std::vector<std::string>> HostPortSync::write(NetlinkSocket& netlink,
                                                     const AttachmentStore& store,
                                                     const std::vector<Attachment>& awaited) {
  generation_ = 0;
  std::vector<std::string> changes;
  auto lock = store.lock_host_ports();
  if (!lock) return fail(lock);
  auto listing = store.list();
  if (!listing) return fail(listing);
  auto links = list_links(netlink);
  if (!links) return fail(links);
  auto structure = nftables_.list_structure(std::string("inet ") + kHostPortTable);
  if (!structure) return fail(structure);
  HostPorts wanted = plan_all_host_ports(living(listing->attachments, awaited, *links));
  auto table = read_host_port_table();
  if (!table) return fail(table);
  const HostPortElements before = table->value_or(HostPortElements{});
  // A record that cannot be read does not say which are its pod's.
  if (!listing->damaged.empty()) wanted.insert(before.ports.begin(), before.ports.end());
  const HostPortElements after = elements_for(wanted);
  const bool is_as_made = *table && *structure == structure_;
  auto done = is_as_made ? change_host_ports(before, after) : write_host_port_table(before, after);
  if (!done) return fail(done);
  auto generation = nftables_.generation();
  if (!generation) return fail(generation);
  auto now = nftables_.list_structure(std::string("inet ") + kHostPortTable);
  if (!now) return fail(now);
  if (auto change = describe_table(structure_, *structure, *now); !change.empty())
    changes.push_back(std::move(change));
  describe_ports(after.ports, before.ports, "host ports mapped: ", changes);
  describe_ports(before.ports, after.ports, "host ports removed: ", changes);
  structure_ = std::move(*now);
  generation_ = *generation;
  applied_ = std::move(wanted);
  return changes;
}

void HostPortSync::sync(NetlinkSocket& netlink, const AttachmentStore& store,
                        const std::vector<Attachment>& recorded,
                        const std::vector<Attachment>& awaited, Outcome& outcome) {
  auto generation = nftables_.generation();
  if (!generation) return outcome.fail("host ports: " + generation.error().what);
  auto links = list_links(netlink);
  if (!links) return outcome.fail("host ports: " + links.error().what);
  const auto pods = living(recorded, awaited, *links);
  if (*generation == 0 && pods.empty()) return;
  if (*generation != generation_ && pods.empty()) {
    auto table = read_host_port_table();
    if (!table) return outcome.fail("host ports: " + table.error().what);
    if (!*table) {
      generation_ = *generation;
      applied_.clear();
      return forbid_localhost(*links, outcome);
    }
  }
  if (*generation == 0 || *generation != generation_ || plan_all_host_ports(pods) != applied_) {
    auto changes = write(netlink, store, awaited);
    if (!changes) return outcome.fail("host ports: " + changes.error().what);
    std::ranges::move(*changes, std::back_inserter(outcome.changes));
  }
  std::set<std::string> devices;
  for (const Attachment& attachment : pods)
    if (const std::string& device = attachment.port.gateway_device();
        std::ranges::find(*links, device, &Link::name) != links->end())
      devices.insert(device);
  for (const std::string& device : devices) {
    auto set = ensure_host_port_settings(device);
    if (!set) outcome.fail(set.error().what);
    if (set) std::ranges::move(*set, std::back_inserter(outcome.changes));
  }
}

/// Without the table, nothing keeps others from what listens on 127.0.0.1.
void HostPortSync::forbid_localhost(const std::vector<Link>& links, Outcome& outcome) {
  for (const Link& link : links) {
    if (!has_our_alias(link)) continue;
    auto forbidden = forbid_localhost_ports(link.name);
    if (!forbidden) outcome.fail(forbidden.error().what);
    if (forbidden && *forbidden)
      outcome.changes.push_back("set net/ipv4/conf/" + link.name + "/route_localnet=0");
  }
}

void HostPortSync::clean_up(const std::vector<std::string>& devices, Outcome& outcome) {
  // Before the table, which keeps others from what listens on 127.0.0.1.
  for (const std::string& device : devices)
    if (auto forbidden = forbid_localhost_ports(device); !forbidden)
      return outcome.fail(kTableName + " stays: " + forbidden.error().what);
  auto removed = remove_host_port_table();
  if (!removed)
    outcome.fail(removed.error().what);
  else if (*removed)
    outcome.changes.push_back(kTableName + " removed");
}

}  // namespace kubecni
