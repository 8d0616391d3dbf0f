#include "control/pods/lost_records.hpp"

#include "ipam/lease_store.hpp"
#include "state/files.hpp"

#include <algorithm>
#include <set>

namespace kubecni {

namespace {

// A DEL that runs removes the veth within this time, mostly. If not, it removes the record again.
constexpr std::chrono::seconds kGrace{3};

const Link* find_host_end(const std::vector<Link>& links, const std::string& name) {
  const auto found = std::ranges::find(links, name, &Link::name);
  return found == links.end() ? nullptr : &*found;
}

/// Whether the host end is the one that the pod had.
Result<bool> has_host_end(NetlinkSocket& netlink, const std::string& name, unsigned ifindex) {
  auto host = find_link(netlink, name);
  if (!host) return fail(host);
  return *host && (*host)->ifindex == ifindex;
}

LeaseOwner owner_of(const Attachment& attachment) {
  return {attachment.container_id, attachment.port.pod_ifname};
}

}  // namespace

void LostRecords::remember(const std::vector<Attachment>& attachments,
                           const std::vector<Link>& links) {
  for (const Attachment& attachment : attachments) {
    const Link* const host = find_host_end(links, attachment.port.host_ifname);
    if (!host) continue;
    Pod& pod = pods_[attachment.port.host_ifname];
    // The lease is read once: it says whether an IPAM plugin holds the addresses.
    if (pod.host_ifindex != host->ifindex) {
      auto lease = LeaseStore(state_dir_, attachment.network).find(owner_of(attachment));
      if (!lease || !*lease) {
        pods_.erase(attachment.port.host_ifname);
        continue;
      }
      pod.lease = std::move(**lease);
      pod.host_ifindex = host->ifindex;
    }
    pod.attachment = attachment;
  }
}

bool LostRecords::is_complete(const Pod& pod, bool has_record) const {
  if (!has_record) return false;
  const auto lease = LeaseStore(state_dir_, pod.attachment.network).find(owner_of(pod.attachment));
  return !lease || *lease;  // DEL removes a damaged one
}

/// A DEL removes the record before the lease, and no folder.
bool LostRecords::may_be_removed_by_del(const Pod& pod, bool has_record) const {
  std::error_code ignored;
  return !has_record &&
         std::filesystem::exists(state_dir_ / kAttachmentsFolder / pod.attachment.network, ignored);
}

/// False: nothing was missing any more, or the pod is gone.
Result<bool> LostRecords::restore(NetlinkSocket& netlink, const Pod& pod) const {
  const Attachment& attachment = pod.attachment;
  const auto lives = [&] {
    return has_host_end(netlink, attachment.port.host_ifname, pod.host_ifindex);
  };
  auto leased = LeaseStore(state_dir_, attachment.network).restore(pod.lease, lives);
  if (!leased) return leased;
  const AttachmentStore store(state_dir_);
  auto lock = store.lock();
  if (!lock) return fail(lock);
  if (auto alive = lives(); !alive || !*alive) return alive;
  auto current =
      store.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (*current) return *leased;
  if (auto saved = store.save(*lock, attachment); !saved) return fail(saved);
  return true;
}

void LostRecords::sync(NetlinkSocket& netlink, std::vector<Attachment>& attachments,
                       const std::vector<Link>& links, Outcome& outcome) {
  remember(attachments, links);
  awaited_.clear();
  std::set<std::string> recorded;
  for (const Attachment& attachment : attachments) recorded.insert(attachment.port.host_ifname);
  std::erase_if(pods_, [&](const auto& entry) {
    const Link* const host = find_host_end(links, entry.first);
    return !host || host->ifindex != entry.second.host_ifindex;
  });
  for (auto& [host_ifname, pod] : pods_) {
    const bool has_record = recorded.contains(host_ifname);
    if (is_complete(pod, has_record)) {
      pod.missing_since.reset();
      continue;
    }
    const auto now = Clock::now();
    if (!pod.missing_since) pod.missing_since = now;
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(*pod.missing_since + kGrace - now);
    if (may_be_removed_by_del(pod, has_record) && wait.count() > 0) {
      outcome.again_in = std::min(outcome.again_in.value_or(wait), wait);
      awaited_.push_back(pod.attachment);
      continue;
    }
    auto restored = restore(netlink, pod);
    if (restored && !*restored) continue;
    outcome.apply(restored ? Result<>() : fail(restored),
                  "records of pod " + pod.attachment.port.addresses_text() +
                      " written again, which somebody removed");
    if (!has_record) attachments.push_back(pod.attachment);
  }
}

}  // namespace kubecni
