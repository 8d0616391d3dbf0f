#include "control/pods/pods_controller.hpp"

#include "control/pods/former_cidrs.hpp"
#include "control/pods/pacing_sync.hpp"
#include "control/pods/pod_bridges.hpp"
#include "control/pods/pod_neighbour_sync.hpp"
#include "control/pods/pod_proxies.hpp"
#include "net/link.hpp"
#include "pods/liveness.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>
#include <string>
#include <utility>

namespace kubecni {

Result<PodsController> PodsController::open(const DaemonOptions& options) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  return PodsController(options, std::move(*netlink));
}

/// Who the pods are, for what they give to the bridge.
void PodsController::sync_guard(std::vector<Attachment> attachments, Outcome& outcome) {
  std::ranges::copy(lost_records_.awaited(), std::back_inserter(attachments));
  if (!guard_) {
    auto opened = PodGuard::open();
    if (!opened) return outcome.fail(opened.error().what);
    guard_ = std::move(*opened);
  }
  auto changes = guard_->sync(attachments);
  if (!changes) return outcome.fail(changes.error().what);
  std::ranges::move(*changes, std::back_inserter(outcome.changes));
}

void PodsController::sync_host_ports(const AttachmentStore& store,
                                     const std::vector<Attachment>& attachments, Outcome& outcome) {
  if (!host_ports_) {
    auto opened = HostPortSync::open();
    // Where the kernel has no netfilter, no ADD could make any.
    if (!opened && opened.error().code == EPROTONOSUPPORT) return;
    if (!opened) return outcome.fail("host ports: " + opened.error().what);
    host_ports_ = std::move(*opened);
  }
  host_ports_->sync(netlink_, store, attachments, lost_records_.awaited(), outcome);
}

void PodsController::sync(const ClusterView& view, EbpfDataplane* dataplane,
                          const PolicedPods& policed, Outcome& outcome) {
  auto links = list_links(netlink_);
  if (!links) return outcome.fail(links.error().what);
  const AttachmentStore store(options_.state_dir);
  // Before the records, or what an ADD has just made would belong to none.
  const auto neighbours = list_pod_neighbours(netlink_, *links, outcome);
  auto listing = store.list();
  if (!listing) return outcome.fail(listing.error().what);
  for (const std::string& damaged : listing->damaged) outcome.fail(damaged);
  lost_records_.sync(netlink_, listing->attachments, *links, outcome);
  sync_guard(listing->attachments, outcome);
  sync_host_ports(store, listing->attachments, outcome);
  restore_bridge_macs(netlink_, listing->attachments, *links, outcome);
  sync_pod_bridges(netlink_, store, listing->attachments, options_.bridge, *links, outcome);
  if (listing->damaged.empty()) sync_pod_proxies(netlink_, listing->attachments, *links, outcome);
  sync_former_cidrs(netlink_, view, options_.bridge, *links, listing->attachments, outcome);
  if (listing->damaged.empty())
    remove_strange_neighbours(netlink_, listing->attachments, *links, neighbours, outcome);
  const Pacing pacing =
      dataplane ? sync_pacing(netlink_, listing->attachments, *dataplane, outcome) : Pacing::kNo;
  sync_pods(netlink_, store, listing->attachments, dataplane ? &dataplane->pods : nullptr, policed,
            pacing, outcome);
}

void PodsController::guard(Outcome& outcome) {
  auto listing = AttachmentStore(options_.state_dir).list();
  if (!listing) return outcome.fail(listing.error().what);
  sync_guard(std::move(listing->attachments), outcome);
}

void PodsController::fill_maps(EbpfDataplane& dataplane, const PolicedPods& policed,
                               Outcome& outcome) {
  auto links = list_links(netlink_);
  if (!links) return outcome.fail(links.error().what);
  fill_endpoints(netlink_, AttachmentStore(options_.state_dir), *links, dataplane.pods.endpoints,
                 policed, outcome);
}

void PodsController::sweep(Outcome& outcome) {
  const PodPaths paths{options_.state_dir, options_.bpffs};
  auto networks = list_networks(paths);
  if (!networks) return outcome.fail("not swept: " + networks.error().what);
  for (const auto& network : *networks) {
    auto removed = reclaim_gone(paths, network);
    if (!removed)
      outcome.fail("network " + network + " not swept: " + removed.error().what);
    else if (*removed != 0)
      outcome.changes.push_back("removed what " + std::to_string(*removed) + " pods of network " +
                                network + " left that ended without DEL");
  }
}

void PodsController::clean_up(Outcome& outcome) {
  auto guard = PodGuard::open();
  auto removed = guard ? guard->remove() : Result<std::vector<std::string>>();
  if (!removed) outcome.fail(removed.error().what);
  for (const std::string& name : removed.value_or(std::vector<std::string>{}))
    outcome.changes.push_back("nftables table " + name + " removed");
  std::set<std::string> devices{options_.bridge};
  if (auto listing = AttachmentStore(options_.state_dir).list())
    for (const Attachment& attachment : listing->attachments)
      devices.insert(attachment.port.gateway_device());
  sync_pod_proxies(netlink_, {}, {}, outcome);
  HostPortSync::clean_up({devices.begin(), devices.end()}, outcome);
}

}  // namespace kubecni
