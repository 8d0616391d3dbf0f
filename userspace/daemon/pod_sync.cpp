#include "daemon/pod_sync.hpp"

#include "dataplane/kernel_path.hpp"
#include "net/qdisc.hpp"
#include "pods/endpoint.hpp"

#include <algorithm>

namespace kubecni {

namespace {

/// False: DEL has come in between.
Result<bool> restore_pod(EbpfDataplane& dataplane, const AttachmentStore& store,
                         const Attachment& attachment, const PodEndpoint& pod) {
  auto lock = store.lock();
  if (!lock) return fail(lock);
  auto current =
      store.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (!*current || !(*current)->ebpf) return false;
  if (auto attached = dataplane.attach_pod(pod.host, attachment.hooks); !attached)
    return fail(attached);
  if (auto added = dataplane.add_endpoint(pod); !added) return fail(added);
  return true;
}

}  // namespace

void sync_pods(NetlinkSocket& netlink, const AttachmentStore& store,
               const std::vector<Attachment>& attachments, const std::vector<Link>& links,
               EbpfDataplane* dataplane, ReconcileReport& report) {
  auto shaped = list_shaped_links(netlink);
  if (!shaped) return report.errors.push_back(shaped.error().what);
  for (const Attachment& attachment : attachments) {
    const auto host = std::ranges::find(links, attachment.port.host_ifname, &Link::name);
    const auto bridge = std::ranges::find(links, attachment.port.bridge, &Link::name);
    if (host == links.end() || bridge == links.end()) continue;
    const std::string addresses = attachment.port.addresses_text();
    if (host->master_ifindex != bridge->ifindex)
      report.apply(restore_pod_port(netlink, *host, *bridge, attachment.port),
                   "pod " + addresses + " is on the bridge again");
    if (!attachment.ebpf || !dataplane) continue;
    const PodEndpoint pod = endpoint_of(attachment, *host, bridge->ifindex, bridge->mac, *shaped);
    auto differences = dataplane->differences(pod);
    if (differences && differences->empty()) continue;
    auto restored = restore_pod(*dataplane, store, attachment, pod);
    if (!restored || *restored)
      report.apply(
          restored ? Result<>() : fail(restored),
          "pod " + addresses +
              (pod.shaped ? " is not redirected: its bandwidth is limited" : " is on eBPF again"));
  }
}

}  // namespace kubecni
