#include "policy/compiler.hpp"

#include "base/fnv.hpp"
#include "k8s/peer_need.hpp"
#include "policy/peer_index.hpp"
#include "policy/ports.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

namespace kubecni {

namespace {

using Peers = std::vector<const PeerIndex::Peer*>;

/// Gives each content a short name that is the same in every run. If somebody makes two contents
/// that have one hash, the later by order of demand gets a longer name.
class Names {
 public:
  std::string name(std::string_view prefix, const std::string& content) {
    char digits[17];
    std::snprintf(digits, sizeof(digits), "%016llx",
                  static_cast<unsigned long long>(fnv1a<std::uint64_t>(content)));
    std::string name = std::string(prefix) + digits;
    for (auto known = contents_.try_emplace(name, content); known.first->second != content;
         known = contents_.try_emplace(name, content))
      name += "x";
    return name;
  }

 private:
  std::map<std::string, std::string> contents_;
};

/// A text that differs for different peers.
std::string key_of(const PolicyPeer& peer, const std::string& space) {
  std::string key;
  if (peer.block) {
    key = "block " + peer.block->cidr.str();
    for (const IpNet& except : peer.block->except) key += " except " + except.str();
    return key;
  }
  // Names and labels of the API have no '|' or '\n', those of a file may.
  const auto add = [&](const std::string& part) {
    key += "|" + std::to_string(part.size()) + ":" + part;
  };
  add(peer.spaces ? "spaces" : peer.pods ? "space" : "everywhere");
  add(peer.spaces ? selector_text(*peer.spaces) : peer.pods ? space : "");
  add(peer.pods ? selector_text(*peer.pods) : "");
  return key;
}

std::string key_of(const PolicyTerm& term) {
  std::string key = term.origin + "|" + std::to_string(static_cast<int>(term.action)) + "|" +
                    std::to_string(static_cast<int>(term.peer.kind)) + term.peer.set;
  if (term.peer.kind == PeerMatch::Kind::kBlock)
    key += key_of(PolicyPeer{.block = term.peer.block}, "");
  key += "|" + std::to_string(term.ports.protocol);
  for (const PortRange& range : term.ports.ranges)
    key += " " + std::to_string(range.first) + "-" + std::to_string(range.last);
  return key + "\n";
}

using Policies = std::vector<const NetworkPolicy*>;

/// The policies of a namespace. A policy that names values of a label is looked at only for pods
/// that have one of them.
class PolicyIndex {
 public:
  void add(const NetworkPolicy& policy) {
    const LabelRequirement* const named = requirement_of_values(policy.subjects);
    if (!named) {
      others_.push_back(&policy);
      return;
    }
    for (const std::string& value : named->values)
      by_label_[{named->key, value}].push_back(&policy);
  }

  /// In the order of their names.
  [[nodiscard]] Policies selecting(const Pod& pod) const {
    Policies found;
    const auto add_of = [&](const Policies& policies) {
      for (const NetworkPolicy* policy : policies)
        if (matches(policy->subjects, pod.labels)) found.push_back(policy);
    };
    add_of(others_);
    for (const auto& label : pod.labels.map())
      if (const auto policies = by_label_.find(label); policies != by_label_.end())
        add_of(policies->second);
    std::ranges::sort(found, {}, &NetworkPolicy::name);
    return found;
  }

 private:
  std::map<std::pair<std::string, std::string>, Policies> by_label_;
  Policies others_;
};

/// A pod whose name has the object of another one gets a name that no object has.
std::vector<LocalPod> with_own_names(const PolicyObjects& objects, std::vector<LocalPod> locals) {
  std::map<std::string, const std::string*> uids;
  for (const Pod& pod : objects.pods) uids.emplace(pod.key(), &pod.uid);
  for (LocalPod& local : locals) {
    const auto uid = uids.find(local.pod);
    if (uid == uids.end() || uid->second->empty() || local.uid.empty()) continue;
    if (*uid->second != local.uid) local.pod += " " + local.uid;
  }
  return locals;
}

class Compiler {
 public:
  Compiler(const PolicyObjects& objects, const std::vector<LocalPod>& locals)
      : locals_(with_own_names(objects, locals)),
        index_(objects, locals_),
        awaits_peers_(objects.awaits_peers) {
    for (const NetworkPolicy& policy : objects.policies) {
      by_space_[policy.space].add(policy);
      if (!policy.problem.empty()) result_.problems.push_back({policy.key(), policy.problem});
    }
    std::ranges::sort(result_.problems);
  }

  CompiledPolicy run() {
    for (const LocalPod& local : locals_) {
      const auto subject = subject_of(local);
      if (!subject) continue;
      for (const IpAddr& address : local.addresses) result_.subjects.emplace(address, *subject);
    }
    return std::move(result_);
  }

 private:
  std::optional<PolicySubject> subject_of(const LocalPod& local) {
    const auto policies = by_space_.find(local.pod.substr(0, local.pod.find('/')));
    if (local.pod.empty() || policies == by_space_.end()) return PolicySubject{};
    const Pod* const pod = index_.find(local.pod);
    if (!pod || !pod->is_selectable()) return std::nullopt;
    const Policies selecting = policies->second.selecting(*pod);
    if (selecting.empty()) return PolicySubject{};
    // Pods with the same policies and ports have the same chains.
    auto& known = subjects_[{selecting, pod->ports}];
    if (!known)
      known = PolicySubject{
          .ingress = chain_for(*pod, selecting, PolicyDirection::kIngress),
          .egress = chain_for(*pod, selecting, PolicyDirection::kEgress),
          .awaits_peers = awaits_peers_ && std::ranges::any_of(selecting, [](const auto* policy) {
                            return needs_peers(*policy);
                          })};
    return known;
  }

  /// The name of the chain; empty: no policy isolates the pod in this direction.
  std::string chain_for(const Pod& pod, const Policies& selecting, PolicyDirection direction) {
    const bool is_ingress = direction == PolicyDirection::kIngress;
    PolicyChain chain{.direction = direction};
    std::string key;
    for (const NetworkPolicy* policy : selecting) {
      if (!(is_ingress ? policy->isolates_ingress : policy->isolates_egress)) continue;
      chain.policies.push_back(policy->key());
      key += policy->key() + "\n";
      const auto& rules = is_ingress ? policy->ingress : policy->egress;
      for (std::size_t i = 0; i < rules.size(); ++i) {
        const std::string origin =
            policy->key() + (is_ingress ? "#ingress" : "#egress") + std::to_string(i);
        const std::size_t begin = chain.terms.size();
        if (is_ingress)
          add_ingress(*policy, rules[i], pod, origin, chain.terms);
        else
          add_egress(*policy, rules[i], origin, chain.terms);
        for (std::size_t at = begin; at < chain.terms.size(); ++at) key += key_of(chain.terms[at]);
      }
    }
    if (chain.policies.empty()) return "";
    const std::string name = names_.name(is_ingress ? "in_" : "eg_", key);
    result_.chains.emplace(name, std::move(chain));
    return name;
  }

  void add_ingress(const NetworkPolicy& policy, const PolicyRule& rule, const Pod& pod,
                   const std::string& origin, std::vector<PolicyTerm>& terms) {
    add_terms(policy, rule, resolved_ports(rule.ports, pod.ports), origin, terms);
  }

  void add_egress(const NetworkPolicy& policy, const PolicyRule& rule, const std::string& origin,
                  std::vector<PolicyTerm>& terms) {
    add_terms(policy, rule, numbered_ports(rule.ports), origin, terms);
    for (const PolicyPort& port : rule.ports) {
      if (port.name.empty()) continue;
      for (const PolicyPeer& peer : rule.peers) add_named(policy, peer, port, origin, terms);
      if (rule.peers.empty()) add_named(policy, {}, port, origin, terms);
    }
  }

  /// Each peer with each of the ports.
  void add_terms(const NetworkPolicy& policy, const PolicyRule& rule,
                 const std::vector<PortMatch>& ports, const std::string& origin,
                 std::vector<PolicyTerm>& terms) {
    std::vector<PeerMatch> peers;
    peers.reserve(rule.peers.size() + 1);
    for (const PolicyPeer& peer : rule.peers) peers.push_back(match_of(policy, peer));
    if (rule.peers.empty()) peers.push_back({});
    for (const PeerMatch& peer : peers)
      for (const PortMatch& match : ports)
        terms.push_back({.peer = peer, .ports = match, .origin = origin});
  }

  PeerMatch match_of(const NetworkPolicy& policy, const PolicyPeer& peer) {
    if (peer.block) return {.kind = PeerMatch::Kind::kBlock, .block = *peer.block};
    const std::string key = key_of(peer, policy.space);
    return {.kind = PeerMatch::Kind::kSet,
            .set = set_of(key, [&] { return index_.select(peer, policy.space); })};
  }

  /// What egress to the port with this name may reach: each peer by its own numbers.
  void add_named(const NetworkPolicy& policy, const PolicyPeer& peer, const PolicyPort& port,
                 const std::string& origin, std::vector<PolicyTerm>& terms) {
    const Peers peers =
        peer.block ? index_.in_block(*peer.block) : index_.select(peer, policy.space);
    std::map<std::uint16_t, Peers> by_number;
    for (const PeerIndex::Peer* one : peers)
      for (const std::uint16_t number : numbers_of(port, one->pod->ports))
        by_number[number].push_back(one);
    for (const auto& [number, having] : by_number) {
      const std::string key = key_of(peer, policy.space) + "|" + port.name + "/" +
                              std::to_string(port.protocol) + "=" + std::to_string(number);
      const auto& some = having;
      const std::string set = set_of(key, [&] { return some; }, peer.block);
      terms.push_back({.peer = {.kind = PeerMatch::Kind::kSet, .set = set},
                       .ports = {.protocol = port.protocol, .ranges = {{number, number}}},
                       .origin = origin});
    }
  }

  /// The name of the set with the addresses of `find()`, within `block` if it is given.
  template <typename Find>
  std::string set_of(const std::string& key, Find find,
                     const std::optional<IpBlock>& block = std::nullopt) {
    std::string name = names_.name("set_", key);
    const auto [set, is_new] = result_.sets.try_emplace(name);
    if (!is_new) return name;
    for (const PeerIndex::Peer* peer : find())
      for (const IpAddr& address : peer->addresses)
        if (!block || contains(*block, address)) set->second.insert(address);
    return name;
  }

  const std::vector<LocalPod> locals_;
  PeerIndex index_;
  const bool awaits_peers_;
  std::map<std::string, PolicyIndex> by_space_;
  std::map<std::pair<Policies, std::vector<NamedPort>>, std::optional<PolicySubject>> subjects_;
  Names names_;
  CompiledPolicy result_;
};

}  // namespace

CompiledPolicy compile_policies(const PolicyObjects& objects, const std::vector<LocalPod>& locals) {
  return Compiler(objects, locals).run();
}

}  // namespace kubecni
