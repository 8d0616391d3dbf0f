#include "control/pods/lost_records.hpp"

#include "ipam/lease_store.hpp"
#include "state/files.hpp"

#include <algorithm>
#include <set>

namespace kubecni {

namespace {

// A DEL that runs removes the veth within this time, also one of many at once.
constexpr std::chrono::seconds kGrace{10};

const Link* find_host_end(const std::vector<Link>& links, const std::string& name) {
  const auto found = std::ranges::find(links, name, &Link::name);
  return found == links.end() ? nullptr : &*found;
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
  return has_record && LeaseStore(state_dir_, pod.attachment.network).has(owner_of(pod.attachment));
}

/// A DEL removes the record before the lease, and no folder.
bool LostRecords::may_be_removed_by_del(const Pod& pod, bool has_record) const {
  std::error_code ignored;
  return !has_record &&
         std::filesystem::exists(state_dir_ / kAttachmentsFolder / pod.attachment.network, ignored);
}

Result<> LostRecords::restore(const Pod& pod) const {
  const Attachment& attachment = pod.attachment;
  const AttachmentStore store(state_dir_);
  auto leased = LeaseStore(state_dir_, attachment.network).restore(pod.lease);
  if (!leased) return fail(leased);
  auto lock = store.lock();
  if (!lock) return fail(lock);
  auto current =
      store.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  return *current ? Result<>() : store.save(*lock, attachment);
}

void LostRecords::sync(std::vector<Attachment>& attachments, const std::vector<Link>& links,
                       Outcome& outcome) {
  remember(attachments, links);
  std::set<std::string> recorded;
  for (const Attachment& attachment : attachments) recorded.insert(attachment.port.host_ifname);
  std::erase_if(pods_, [&](const auto& entry) {
    const Link* const host = find_host_end(links, entry.first);
    return !host || host->ifindex != entry.second.host_ifindex;
  });
  for (auto& [host_ifname, pod] : pods_) {
    if (is_complete(pod, recorded.contains(host_ifname))) {
      pod.missing_since.reset();
      continue;
    }
    const auto now = Clock::now();
    if (!pod.missing_since) pod.missing_since = now;
    const bool may_be_del = may_be_removed_by_del(pod, recorded.contains(host_ifname));
    if (may_be_del && now - *pod.missing_since < kGrace) continue;
    outcome.apply(restore(pod), "records of pod " + pod.attachment.port.addresses_text() +
                                    " written again, which somebody removed");
    if (!recorded.contains(host_ifname)) attachments.push_back(pod.attachment);
  }
}

}  // namespace kubecni
