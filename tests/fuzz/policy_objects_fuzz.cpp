// NetworkPolicies, pods and namespaces, from the API server or from the operator's file, and what
// the compiler makes of them.

#include "fuzz.hpp"
#include "k8s/policy_objects.hpp"
#include "policy/compiler.hpp"

using namespace kubecni;
using fuzz::require;

namespace {

void check_policy(const NetworkPolicy& policy) {
  if (policy.problem.empty()) return;
  require(policy.isolates_ingress && policy.isolates_egress, "what is not understood isolates");
  require(policy.ingress.empty() && policy.egress.empty(), "and allows nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto objects = parse_policy_objects(fuzz::text_from(data, size));

  if (!objects) {
    require(!objects.error().what.empty(), "a refusal says why");
    return 0;
  }
  for (const NetworkPolicy& policy : objects->policies) check_policy(policy);
  std::vector<LocalPod> locals;
  for (const Pod& pod : objects->pods) locals.push_back({pod.key(), pod.addresses});
  const auto compiled = compile_policies(*objects, locals);
  for (const auto& [address, subject] : compiled.subjects) {
    require(subject.ingress.empty() || compiled.chains.contains(subject.ingress),
            "a subject's chain exists");
    require(subject.egress.empty() || compiled.chains.contains(subject.egress),
            "a subject's chain exists");
  }
  for (const auto& [name, chain] : compiled.chains)
    for (const PolicyTerm& term : chain.terms)
      require(term.peer.kind != PeerMatch::Kind::kSet || compiled.sets.contains(term.peer.set),
              "a term's set exists");
  return 0;
}
