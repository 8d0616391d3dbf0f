#include "control/pods/pod_sync.hpp"

#include "dataplane/kernel_path.hpp"
#include "dataplane/pod_neighbours.hpp"
#include "net/bridge.hpp"
#include "net/qdisc.hpp"
#include "pods/endpoint.hpp"

#include <algorithm>
#include <map>
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

/// What the bridges have of all pods, read at once.
struct KernelState {
  std::map<unsigned, BridgePort> ports;
  std::vector<FdbEntry> fdb;
  std::vector<Neighbour> neighbours;
};

Result<KernelState> read_kernel_state(NetlinkSocket& netlink, const std::vector<Link>& links) {
  KernelState state;
  auto ports = list_bridge_ports(netlink);
  if (!ports) return fail(ports);
  auto fdb = list_fdb(netlink);
  if (!fdb) return fail(fdb);
  for (const Link& link : links) {
    if (link.kind != "bridge") continue;
    auto neighbours = list_permanent_neighbours(netlink, link.ifindex);
    if (!neighbours) return fail(neighbours);
    state.neighbours.insert(state.neighbours.end(), neighbours->begin(), neighbours->end());
  }
  state.ports = std::move(*ports);
  state.fdb = std::move(*fdb);
  // To be searched once for each pod.
  std::ranges::sort(state.fdb);
  std::ranges::sort(state.neighbours);
  return state;
}

/// What the pod has lost of its place on the bridge; empty when nothing.
std::string find_loss(const KernelState& state, const PodPort& port, const Link& host,
                      const Link& bridge) {
  if (host.master_ifindex != bridge.ifindex) return "its place on the bridge";
  const auto flags = state.ports.find(host.ifindex);
  if (flags == state.ports.end() || flags->second != BridgePort{}) return "its port's settings";
  const FdbEntry entry{bridge.ifindex, host.ifindex, port.pod_mac, true, false};
  if (!std::ranges::binary_search(state.fdb, entry)) return "its FDB entry";
  const bool is_known =
      std::ranges::all_of(neighbours_of(port, bridge.ifindex), [&](const Neighbour& neighbour) {
        return std::ranges::binary_search(state.neighbours, neighbour);
      });
  return is_known ? "" : "its place in the node's table of neighbours";
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

}  // namespace

void sync_pods(NetlinkSocket& netlink, const AttachmentStore& store,
               const std::vector<Attachment>& attachments, const std::vector<Link>& links,
               PodDataplane* dataplane, Outcome& outcome) {
  auto shaped = list_shaped_links(netlink);
  if (!shaped) return outcome.fail(shaped.error().what);
  auto state = read_kernel_state(netlink, links);
  if (!state) return outcome.fail(state.error().what);
  for (const Attachment& attachment : attachments) {
    const auto host = std::ranges::find(links, attachment.port.host_ifname, &Link::name);
    const auto bridge = std::ranges::find(links, attachment.port.bridge, &Link::name);
    if (host == links.end() || bridge == links.end()) continue;
    const std::string addresses = attachment.port.addresses_text();
    if (const auto loss = find_loss(*state, attachment.port, *host, *bridge); !loss.empty()) {
      auto restored = restore_port(netlink, store, attachment, *host, *bridge);
      if (!restored || *restored)
        outcome.apply(restored ? Result<>() : fail(restored),
                      "pod " + addresses + " has " + loss + " again");
    }
    if (!attachment.ebpf || !dataplane) continue;
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
  if (dataplane) remove_strange_endpoints(dataplane->endpoints, links, outcome);
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
