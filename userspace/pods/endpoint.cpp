#include "pods/endpoint.hpp"

namespace kubecni {

bool is_shaped(const Attachment& attachment, unsigned host_ifindex,
               const std::set<unsigned>& shaped_links) {
  return attachment.shaped || shaped_links.contains(host_ifindex);
}

unsigned network_of(const PodPort& port, unsigned bridge_ifindex) {
  return port.is_routed() ? KUBECNI_ROUTED_NETWORK : bridge_ifindex;
}

PodEndpoint endpoint_of(const Attachment& attachment, const Link& host, unsigned network,
                        const MacAddr& gateway_mac, const std::set<unsigned>& shaped_links,
                        Policed policed) {
  return {.host = {host.ifindex, host.name},
          .network = network,
          .addresses = attachment.port.plain_addresses(),
          .pod_mac = attachment.port.pod_mac,
          .gateway_mac = gateway_mac,
          .shaped = is_shaped(attachment, host.ifindex, shaped_links),
          .policed = policed};
}

}  // namespace kubecni
