#include "pods/endpoint.hpp"

namespace kubecni {

PodEndpoint endpoint_of(const Attachment& attachment, const Link& host, const MacAddr& gateway_mac,
                        const std::set<unsigned>& shaped_links) {
  return {.host = {host.ifindex, host.name},
          .addresses = attachment.port.plain_addresses(),
          .pod_mac = attachment.port.pod_mac,
          .gateway_mac = gateway_mac,
          .shaped = attachment.shaped || shaped_links.contains(host.ifindex)};
}

}  // namespace kubecni
