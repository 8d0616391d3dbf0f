#include "control/pods/pacing_sync.hpp"

#include "net/qdisc.hpp"
#include "pods/endpoint.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace kubecni {

namespace {

Result<> write(PacingDeviceMap& map, const std::set<unsigned>& wanted,
               const std::set<unsigned>& known) {
  for (const unsigned ifindex : known)
    if (!wanted.contains(ifindex))
      if (auto erased = map.erase(ifindex); !erased) return erased;
  for (const unsigned ifindex : wanted)
    if (!known.contains(ifindex))
      if (auto set = map.set(ifindex, 1); !set) return set;
  return {};
}

bool may_be_paced(const Attachment& pod) {
  return pod.ebpf && pod.bandwidth.egress && pod.bandwidth.egress->rate >= kLeastPacedRate;
}

/// The devices that keep departure times; none if one that leads to a node does not.
Result<std::set<unsigned>> find_devices(NetlinkSocket& netlink, const EbpfDataplane& dataplane) {
  auto links = list_shaped_links(netlink);
  if (!links) return fail(links);
  if (links->pacing.empty()) return std::set<unsigned>();
  auto config = dataplane.node_config.read();
  if (!config) return fail(config);
  auto nodes = dataplane.node_cidrs.entries();
  if (!nodes) return fail(nodes);
  for (const auto& [cidr, node] : *nodes) {
    if (node.kind == KUBECNI_NODE_LOCAL) continue;
    const bool by_program = node.kind == KUBECNI_NODE_DIRECT || config->may_bypass_ipsec;
    if (!by_program || !links->pacing.contains(way_to(node))) return std::set<unsigned>();
  }
  return std::move(links->pacing);
}

Result<> tell_programs(const std::set<unsigned>& wanted, EbpfDataplane& dataplane,
                       Outcome& outcome) {
  auto entries = dataplane.pacing_devices.entries();
  if (!entries) return fail(entries);
  std::set<unsigned> known;
  for (const auto& [ifindex, value] : *entries) known.insert(ifindex);
  if (wanted != known) {
    if (auto written = write(dataplane.pacing_devices, wanted, known); !written) return written;
    outcome.apply({}, wanted.empty() ? "fq keeps no packets of limited pods any more"
                                     : "fq keeps what limited pods send to other nodes by eBPF");
  }
  return dataplane.node_config.set_has_pacers(!wanted.empty());
}

}  // namespace

Pacing sync_pacing(NetlinkSocket& netlink, const std::vector<Attachment>& attachments,
                   EbpfDataplane& dataplane, Outcome& outcome) {
  std::set<unsigned> wanted;
  if (std::ranges::any_of(attachments, may_be_paced)) {
    auto devices = find_devices(netlink, dataplane);
    if (!devices) outcome.fail(devices.error().what);
    if (devices) wanted = std::move(*devices);
  }
  auto told = tell_programs(wanted, dataplane, outcome);
  if (!told) outcome.fail(told.error().what);
  return told && !wanted.empty() ? Pacing::kYes : Pacing::kNo;
}

}  // namespace kubecni
