#include "k8s/peer_need.hpp"

#include <algorithm>

namespace kubecni {

namespace {

bool selects_peers(const PolicyRule& rule) {
  return std::ranges::any_of(rule.peers, [](const PolicyPeer& peer) { return !peer.block; });
}

bool names_ports(const PolicyRule& rule) {
  return std::ranges::any_of(rule.ports, [](const PolicyPort& port) { return !port.name.empty(); });
}

bool selects_one_of(const NetworkPolicy& policy, const std::vector<Shared<Pod>>& pods) {
  return std::ranges::any_of(pods, [&](const Pod& pod) {
    return pod.space == policy.space && pod.is_selectable() && matches(policy.subjects, pod.labels);
  });
}

}  // namespace

bool needs_peers(const NetworkPolicy& policy) {
  if (policy.isolates_ingress && std::ranges::any_of(policy.ingress, selects_peers)) return true;
  return policy.isolates_egress && std::ranges::any_of(policy.egress, [](const PolicyRule& rule) {
           return selects_peers(rule) || names_ports(rule);
         });
}

bool needs_peers(const std::vector<Shared<NetworkPolicy>>& policies,
                 const std::vector<Shared<Pod>>& pods) {
  return std::ranges::any_of(policies, [&](const NetworkPolicy& policy) {
    return needs_peers(policy) && selects_one_of(policy, pods);
  });
}

}  // namespace kubecni
