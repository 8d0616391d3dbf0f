#include "pods/endpoint.hpp"

#include "pods/bandwidth.hpp"

namespace kubecni {

Shaped shaped_of(const Attachment& attachment, unsigned host_ifindex,
                 const ShapedLinks& shaped_links) {
  const bool is_shaped_in = shaped_links.in.contains(host_ifindex);
  if (attachment.is_limited_in_what_it_receives() && !is_shaped_in) return Shaped::kReceived;
  const bool is_shaped =
      attachment.shaped || is_shaped_in || shaped_links.out.contains(host_ifindex);
  return is_shaped ? Shaped::kAll : Shaped::kNothing;
}

Shaped shaped_of(const Attachment& attachment, unsigned host_ifindex,
                 const ShapedLinks& shaped_links, Pacing pacing) {
  const auto& [ingress, egress] = attachment.bandwidth;
  const bool is_by_others = shaped_links.in.contains(host_ifindex) ||
                            (!ingress && shaped_links.out.contains(host_ifindex));
  if (pacing != Pacing::kYes || !egress || egress->rate < kLeastPacedRate || is_by_others)
    return shaped_of(attachment, host_ifindex, shaped_links);
  return ingress ? Shaped::kBoth : Shaped::kSent;
}

unsigned network_of(const PodPort& port, unsigned bridge_ifindex) {
  return port.is_routed() ? KUBECNI_ROUTED_NETWORK : bridge_ifindex;
}

PodEndpoint endpoint_of(const Attachment& attachment, const Link& host, unsigned network,
                        const MacAddr& gateway_mac, const ShapedLinks& shaped_links,
                        Policed policed, Pacing pacing) {
  return {.host = {host.ifindex, host.name},
          .network = network,
          .addresses = attachment.port.plain_addresses(),
          .pod_mac = attachment.port.pod_mac,
          .gateway_mac = gateway_mac,
          .shaped = shaped_of(attachment, host.ifindex, shaped_links, pacing),
          .or_shaped =
              pacing == Pacing::kAsIs
                  ? std::optional(shaped_of(attachment, host.ifindex, shaped_links, Pacing::kYes))
                  : std::nullopt,
          .pacer = attachment.bandwidth.egress
                       ? plan_pacer(*attachment.bandwidth.egress, attachment.port.mtu)
                       : Pacer{},
          .policed = policed};
}

}  // namespace kubecni
