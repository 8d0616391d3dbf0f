#include "policy/judge.hpp"

#include "base/text.hpp"
#include "policy/peer_index.hpp"

#include <algorithm>

namespace kubecni {

namespace {

bool fits(const PortMatch& match, const PolicyFlow& flow) {
  if (match.protocol == 0) return true;
  if (match.protocol != flow.protocol) return false;
  return match.ranges.empty() || std::ranges::any_of(match.ranges, [&](const PortRange& range) {
           return range.first <= flow.port && flow.port <= range.last;
         });
}

bool fits(const CompiledPolicy& policy, const PeerMatch& peer, const IpAddr& address) {
  switch (peer.kind) {
    case PeerMatch::Kind::kAnyone:
      return true;
    case PeerMatch::Kind::kSet: {
      const auto set = policy.sets.find(peer.set);
      return set != policy.sets.end() && set->second.contains(address);
    }
    case PeerMatch::Kind::kBlock:
      break;
  }
  return contains(peer.block, address);
}

PolicyVerdict judge_by(const CompiledPolicy& policy, const std::string& chain_name,
                       const IpAddr& peer, const PolicyFlow& flow) {
  const auto chain = policy.chains.find(chain_name);
  if (chain == policy.chains.end()) return {};
  for (const PolicyTerm& term : chain->second.terms)
    if (fits(policy, term.peer, peer) && fits(term.ports, flow))
      return {.is_allowed = true, .is_isolated = true, .by = term.origin};
  return {.is_allowed = false, .is_isolated = true, .by = joined(chain->second.policies)};
}

}  // namespace

PolicyVerdict judge_ingress(const CompiledPolicy& policy, const PolicyFlow& flow) {
  const auto subject = policy.subjects.find(flow.destination);
  if (subject == policy.subjects.end()) return {};
  return judge_by(policy, subject->second.ingress, flow.source, flow);
}

PolicyVerdict judge_egress(const CompiledPolicy& policy, const PolicyFlow& flow) {
  const auto subject = policy.subjects.find(flow.source);
  if (subject == policy.subjects.end()) return {};
  return judge_by(policy, subject->second.egress, flow.destination, flow);
}

}  // namespace kubecni
