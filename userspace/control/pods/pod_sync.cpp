#include "control/pods/pod_sync.hpp"

#include "dataplane/host_state.hpp"
#include "dataplane/kernel_path.hpp"
#include "net/qdisc.hpp"
#include "pods/bandwidth.hpp"
#include "pods/endpoint.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

namespace {

/// ADD wanted eBPF for it, and had to do without. A limited pod may need what holds the programs.
bool awaits_ebpf(const Attachment& attachment, Shaped shaped) {
  const bool by_others = shaped != Shaped::kNothing && attachment.bandwidth.empty();
  return !attachment.ebpf && !attachment.fallback_reason.empty() && (!by_others || has_tcx());
}

/// Gives a pod eBPF that was made while there was none. False: DEL has come in between.
Result<bool> take_over_pod(PodDataplane& dataplane, const AttachmentStore& store,
                           const Attachment& attachment, const PodEndpoint& pod) {
  auto lock = store.lock();
  if (!lock) return fail(lock);
  auto current =
      store.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (!*current || !awaits_ebpf(**current, pod.shaped)) return false;
  auto kind = dataplane.attach(pod.host, (*current)->hooks);
  if (!kind) return fail(kind);
  (*current)->hooks = *kind;
  (*current)->ebpf = true;
  (*current)->fallback_reason.clear();
  // Before it is a redirect target: DEL goes by the record.
  if (auto saved = store.save(*lock, **current); !saved) return fail(saved);
  if (auto added = dataplane.endpoints.add(pod); !added) return fail(added);
  return true;
}

/// Attaches its programs, too, if `programs` are given. False: DEL has come in between.
Result<bool> restore_pod(const ProgramStore* programs, EndpointTable& endpoints,
                         const AttachmentStore& store, const Attachment& attachment,
                         const PodEndpoint& pod) {
  auto lock = store.lock();
  if (!lock) return fail(lock);
  auto current =
      store.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (!*current || !(*current)->ebpf) return false;
  if (programs) {
    auto attached = programs->attach(KUBECNI_ON_POD, pod.host, attachment.hooks);
    if (!attached) return fail(attached);
  }
  if (auto added = endpoints.add(pod); !added) return fail(added);
  return true;
}

void remove_strange_endpoints(EndpointTable& endpoints, const std::vector<Link>& links,
                              Outcome& outcome) {
  std::set<unsigned> ifindexes;
  for (const Link& link : links) ifindexes.insert(link.ifindex);
  auto removed = endpoints.remove_gone(ifindexes);
  if (!removed || *removed != 0)
    outcome.apply(removed ? Result<>() : fail(removed),
                  "map entries of pods that are gone removed");
}

/// False: DEL has come in between.
Result<bool> restore_port(NetlinkSocket& netlink, const AttachmentStore& store,
                          const Attachment& attachment, const Link& host,
                          const Link& gateway_device) {
  auto lock = store.lock();
  if (!lock) return fail(lock);
  auto current =
      store.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (!*current) return false;
  if (auto restored = restore_pod_port(netlink, host, gateway_device, (*current)->port); !restored)
    return fail(restored);
  return true;
}

void sync_port(NetlinkSocket& netlink, const AttachmentStore& store, const Attachment& attachment,
               const HostState& state, const Link& host, const Link& gateway_device,
               Outcome& outcome) {
  const auto lost = port_differences(state, attachment.port, host, gateway_device);
  if (lost.empty()) return;
  auto restored = restore_port(netlink, store, attachment, host, gateway_device);
  if (restored && !*restored) return;
  outcome.apply(restored ? Result<>() : fail(restored),
                "pod " + attachment.port.addresses_text() + ": put right that " + lost.front());
}

/// False: DEL has come in between.
Result<bool> restore_bandwidth(NetlinkSocket& netlink, const AttachmentStore& store,
                               const Attachment& attachment, const Link& host) {
  auto lock = store.lock();
  if (!lock) return fail(lock);
  auto current =
      store.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (!*current) return false;
  if (auto limited = ensure_bandwidth(netlink, **current, host); !limited) return fail(limited);
  return true;
}

void sync_bandwidth(NetlinkSocket& netlink, const AttachmentStore& store,
                    const Attachment& attachment, const TokenBuckets& buckets, const Link& host,
                    Outcome& outcome) {
  if (attachment.bandwidth.empty()) return;
  auto lost = find_bandwidth_losses(netlink, buckets, attachment, host);
  if (!lost) return outcome.fail(lost.error().what);
  if (lost->empty()) return;
  auto restored = restore_bandwidth(netlink, store, attachment, host);
  if (restored && !*restored) return;
  outcome.apply(restored ? Result<>() : fail(restored),
                "pod " + attachment.port.addresses_text() + ": put right that " + lost->front());
}

void sync_ebpf(PodDataplane& dataplane, const AttachmentStore& store, const Attachment& attachment,
               const PodEndpoint& pod, Outcome& outcome) {
  const bool is_late = awaits_ebpf(attachment, pod.shaped);
  if (!attachment.ebpf && !is_late) return;
  if (!is_late) {
    auto differences = dataplane.differences(pod);
    if (differences && differences->empty()) return;
  }
  auto restored =
      is_late ? take_over_pod(dataplane, store, attachment, pod)
              : restore_pod(&dataplane.programs, dataplane.endpoints, store, attachment, pod);
  if (restored && !*restored) return;
  const std::string how =
      pod.shaped == Shaped::kAll ? " is not redirected: its bandwidth is limited"
      : pod.shaped == Shaped::kSent || pod.shaped == Shaped::kBoth
          ? " is on eBPF, within the limit of what it sends"
      : pod.policed == Policed::kYes ? " is not redirected: network policies judge its packets"
      : is_late                      ? " is on eBPF now"
                                     : " is on eBPF again";
  outcome.apply(restored ? Result<>() : fail(restored),
                "pod " + attachment.port.addresses_text() + how);
}

}  // namespace

void sync_pods(NetlinkSocket& netlink, const AttachmentStore& store,
               const std::vector<Attachment>& attachments, PodDataplane* dataplane,
               const PolicedPods& policed, Pacing pacing, Outcome& outcome) {
  auto shaped = list_shaped_links(netlink);
  if (!shaped) return outcome.fail(shaped.error().what);
  auto buckets = list_token_buckets(netlink);
  if (!buckets) return outcome.fail(buckets.error().what);
  auto state = read_host_state(netlink);
  if (!state) return outcome.fail(state.error().what);
  for (const Attachment& attachment : attachments) {
    const Link* const host = state->find(attachment.port.host_ifname);
    const Link* const gateway_device = state->find(attachment.port.gateway_device());
    if (!host || !gateway_device) continue;
    sync_port(netlink, store, attachment, *state, *host, *gateway_device, outcome);
    sync_bandwidth(netlink, store, attachment, *buckets, *host, outcome);
    if (!dataplane) continue;
    const PodEndpoint pod =
        endpoint_of(attachment, *host, network_of(attachment.port, gateway_device->ifindex),
                    gateway_device->mac, *shaped, policed(attachment), pacing);
    sync_ebpf(*dataplane, store, attachment, pod, outcome);
  }
  if (dataplane) remove_strange_endpoints(dataplane->endpoints, state->links, outcome);
}

void fill_endpoints(NetlinkSocket& netlink, const AttachmentStore& store,
                    const std::vector<Link>& links, EndpointTable& endpoints,
                    const PolicedPods& policed, Outcome& outcome) {
  auto shaped = list_shaped_links(netlink);
  auto listing = store.list();
  if (!shaped || !listing) return outcome.fail(shaped ? listing.error().what : shaped.error().what);
  for (const Attachment& attachment : listing->attachments) {
    const auto host = std::ranges::find(links, attachment.port.host_ifname, &Link::name);
    const auto gateway_device =
        std::ranges::find(links, attachment.port.gateway_device(), &Link::name);
    if (!attachment.ebpf || host == links.end() || gateway_device == links.end()) continue;
    const PodEndpoint pod =
        endpoint_of(attachment, *host, network_of(attachment.port, gateway_device->ifindex),
                    gateway_device->mac, *shaped, policed(attachment), Pacing::kNo);
    auto restored = restore_pod(nullptr, endpoints, store, attachment, pod);
    if (!restored) outcome.fail(restored.error().what);
  }
}

}  // namespace kubecni
