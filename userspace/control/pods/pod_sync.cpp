#include "control/pods/pod_sync.hpp"

#include "dataplane/host_state.hpp"
#include "dataplane/kernel_path.hpp"
#include "net/qdisc.hpp"
#include "pods/endpoint.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

namespace {

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
                          const Attachment& attachment, const Link& host, const Link& bridge) {
  auto lock = store.lock();
  if (!lock) return fail(lock);
  auto current =
      store.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (!*current) return false;
  if (auto restored = restore_pod_port(netlink, host, bridge, (*current)->port); !restored)
    return fail(restored);
  return true;
}

void sync_port(NetlinkSocket& netlink, const AttachmentStore& store, const Attachment& attachment,
               const HostState& state, const Link& host, const Link& bridge, Outcome& outcome) {
  const auto lost = port_differences(state, attachment.port, host, bridge);
  if (lost.empty()) return;
  auto restored = restore_port(netlink, store, attachment, host, bridge);
  if (restored && !*restored) return;
  outcome.apply(restored ? Result<>() : fail(restored),
                "pod " + attachment.port.addresses_text() + ": put right that " + lost.front());
}

}  // namespace

void sync_pods(NetlinkSocket& netlink, const AttachmentStore& store,
               const std::vector<Attachment>& attachments, PodDataplane* dataplane,
               Outcome& outcome) {
  auto shaped = list_shaped_links(netlink);
  if (!shaped) return outcome.fail(shaped.error().what);
  auto state = read_host_state(netlink);
  if (!state) return outcome.fail(state.error().what);
  for (const Attachment& attachment : attachments) {
    const Link* const host = state->find(attachment.port.host_ifname);
    const Link* const bridge = state->find(attachment.port.bridge);
    if (!host || !bridge) continue;
    sync_port(netlink, store, attachment, *state, *host, *bridge, outcome);
    if (!attachment.ebpf || !dataplane) continue;
    const std::string addresses = attachment.port.addresses_text();
    const PodEndpoint pod = endpoint_of(attachment, *host, bridge->ifindex, bridge->mac, *shaped);
    auto differences = dataplane->differences(pod);
    if (differences && differences->empty()) continue;
    auto restored = restore_pod(&dataplane->programs, dataplane->endpoints, store, attachment, pod);
    if (!restored || *restored)
      outcome.apply(
          restored ? Result<>() : fail(restored),
          "pod " + addresses +
              (pod.shaped ? " is not redirected: its bandwidth is limited" : " is on eBPF again"));
  }
  if (dataplane) remove_strange_endpoints(dataplane->endpoints, state->links, outcome);
}

void fill_endpoints(NetlinkSocket& netlink, const AttachmentStore& store,
                    const std::vector<Link>& links, EndpointTable& endpoints, Outcome& outcome) {
  auto shaped = list_shaped_links(netlink);
  auto listing = store.list();
  if (!shaped || !listing) return outcome.fail(shaped ? listing.error().what : shaped.error().what);
  for (const Attachment& attachment : listing->attachments) {
    const auto host = std::ranges::find(links, attachment.port.host_ifname, &Link::name);
    const auto bridge = std::ranges::find(links, attachment.port.bridge, &Link::name);
    if (!attachment.ebpf || host == links.end() || bridge == links.end()) continue;
    const PodEndpoint pod = endpoint_of(attachment, *host, bridge->ifindex, bridge->mac, *shaped);
    auto restored = restore_pod(nullptr, endpoints, store, attachment, pod);
    if (!restored) outcome.fail(restored.error().what);
  }
}

}  // namespace kubecni
