#include "control/pods/former_cidrs.hpp"

#include <algorithm>

namespace kubecni {

namespace {

bool is_of(const std::vector<IpNet>& cidrs, const IpAddr& address) {
  return std::ranges::any_of(cidrs, [&](const IpNet& cidr) { return cidr.contains(address); });
}

/// The node, other than this one, whose PodCIDR overlaps `net`; empty if none does.
std::string other_owner(const ClusterView& view, const IpNet& net) {
  for (const auto& [cidr, owner] : view.owners)
    if (owner != view.self->name && cidr.overlaps(net)) return owner;
  return "";
}

std::string describe(const Attachment& attachment) {
  return "pod " + (attachment.pod.empty() ? attachment.container_id : attachment.pod) + " " +
         attachment.port.addresses_text();
}

}  // namespace

FormerCidrs plan_former_cidrs(const ClusterView& view, const std::string& bridge,
                              const std::vector<IpNet>& on_bridge,
                              const std::vector<Attachment>& attachments) {
  FormerCidrs former;
  if (!view.self) return former;
  for (const IpNet& gateway : on_bridge) {
    const bool in_use = std::ranges::any_of(attachments, [&](const Attachment& attachment) {
      return std::ranges::count(attachment.port.gateway_addresses(), gateway) != 0;
    });
    if (!in_use && !other_owner(view, gateway.network()).empty())
      former.gateways.push_back(gateway);
  }
  for (const Attachment& attachment : attachments) {
    // Where the bridge is another, or no gateway, the addresses are not the cluster's affair.
    const bool is_elsewhere = !attachment.port.is_routed() && attachment.port.bridge != bridge;
    if (!attachment.port.owns_gateways || is_elsewhere) continue;
    for (const IpAddr& address : attachment.port.plain_addresses()) {
      if (is_of(view.self->pod_cidrs, address)) continue;
      const std::string owner = other_owner(view, {address, address.bits()});
      former.pods.push_back(
          describe(attachment) + ": " + address.str() + " is of no PodCIDR of this node" +
          (owner.empty() ? "" : ", but of node " + owner) +
          "; other nodes do not reach it; delete the pod, so that it is made anew");
      break;
    }
  }
  return former;
}

void sync_former_cidrs(NetlinkSocket& netlink, const ClusterView& view, const std::string& bridge,
                       const std::vector<Link>& links, const std::vector<Attachment>& attachments,
                       Outcome& outcome) {
  const auto link = std::ranges::find(links, bridge, &Link::name);
  const unsigned ifindex = link == links.end() ? 0 : link->ifindex;
  auto addresses = list_addresses(netlink);
  if (!addresses) return outcome.fail(addresses.error().what);
  std::vector<IpNet> on_bridge;
  for (const LinkAddress& address : *addresses)
    if (address.ifindex == ifindex) on_bridge.push_back(address.net);
  const auto former = plan_former_cidrs(view, bridge, on_bridge, attachments);
  for (const IpNet& gateway : former.gateways)
    outcome.apply(
        delete_address(netlink, ifindex, gateway),
        bridge + " gave up " + gateway.str() + ": its network is another node's PodCIDR now");
  // Nothing failed, and another round would not mend it.
  for (const std::string& pod : former.pods)
    outcome.say(ConditionKind::kNodeDoubtful, pod, view.self->name);
}

}  // namespace kubecni
