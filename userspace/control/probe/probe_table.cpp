#include "control/probe/probe_table.hpp"

#include <algorithm>
#include <utility>

namespace kubecni {

namespace {

// A round of suspects looks at so many at most, or a node that reaches nobody would look all the
// time.
constexpr std::size_t kMostLookedAt = 64;

ProbeKey key_of(const ProbeTarget& target) { return {target.node, target.address.family()}; }

std::string family_of(const IpAddr& address) { return address.is_v4() ? "IPv4" : "IPv6"; }

}  // namespace

std::string text_of(const ProbeFinding& finding) {
  const std::string pods = "its " + family_of(finding.address) + " pods";
  const std::string way = finding.by_tunnel ? " through the tunnel" : " over the link";
  const bool is_taken_over = finding.is_detour && finding.verdict == ProbeVerdict::kUnknown;
  if (finding.verdict == ProbeVerdict::kAnswering || is_taken_over)
    return pods + " are reached" + way + ": " + finding.cause;
  return pods + " are not reached" + way + ": " + finding.cause;
}

/// Sorts it, and leaves one place of each address.
void ProbeTable::tidy_up(std::vector<Place>& places) {
  std::ranges::sort(places);
  const auto rest = std::ranges::unique(places, {}, &Place::address);
  places.erase(rest.begin(), rest.end());
  places.shrink_to_fit();
}

void ProbeTable::set_targets(std::vector<ProbeTarget> targets) {
  const bool is_same = std::ranges::equal(targets, states_, {}, {}, &State::target);
  if (is_same) return;
  std::map<ProbeKey, State> before;
  for (State& state : states_) before.emplace(key_of(state.target), std::move(state));
  states_.clear();
  by_address_.clear();
  by_node_address_.clear();
  suspects_.clear();
  pending_.clear();
  sent_.clear();
  states_.reserve(targets.size());
  for (ProbeTarget& target : targets) {
    State state;
    if (const auto found = before.find(key_of(target));
        found != before.end() && found->second.target.address == target.address)
      state = std::move(found->second);
    else
      state.is_detour = target.by_tunnel;
    // What was lost, was lost on the way before.
    if (state.target.by_tunnel != target.by_tunnel) state.lost = state.good = 0;
    if (!target.has_choice()) state.is_detour = false;
    state.target = std::move(target);
    const auto index = static_cast<std::uint32_t>(states_.size());
    by_address_.push_back({state.target.address, index});
    by_node_address_.push_back({state.target.node_address, index});
    for (const IpAddr& address : state.target.node_addresses)
      if (address != state.target.node_address) by_node_address_.push_back({address, index});
    state.is_suspect = state.is_detour || state.verdict == ProbeVerdict::kSilent || state.lost > 0;
    if (state.is_suspect) suspects_.insert(states_.size());
    states_.push_back(std::move(state));
  }
  tidy_up(by_address_);
  tidy_up(by_node_address_);
  ++version_;
}

std::chrono::milliseconds ProbeTable::idle() const {
  return states_.empty() ? std::chrono::milliseconds(60'000) : kTick;
}

void ProbeTable::put(std::size_t index, ProbeWay way, Clock::time_point now,
                     std::vector<Question>& out) {
  const ProbeNonce nonce = make_nonce_();
  pending_[nonce] = {.index = index, .way = way, .sent_at = now};
  sent_.emplace_back(now, nonce);
  out.push_back({&states_[index].target, {.way = way, .nonce = nonce}});
}

void ProbeTable::ask_one(std::size_t index, Clock::time_point now, std::vector<Question>& out) {
  State& state = states_[index];
  state.asked_at = now;
  put(index, ProbeWay::kPods, now, out);
  const bool is_doubtful = state.lost > 0 || state.verdict == ProbeVerdict::kSilent;
  if (is_doubtful && state.target.can_ask_node) put(index, ProbeWay::kNode, now, out);
  if (is_doubtful && state.target.tunnel) put(index, ProbeWay::kTunnel, now, out);
  if (state.is_detour && state.target.direct) put(index, ProbeWay::kDirect, now, out);
}

/// How often a suspect is asked. The longer it is silent, the more rarely, so that a node that
/// comes back is not asked by all others at once.
std::chrono::milliseconds ProbeTable::interval_of(const State& state) {
  const bool may_change_soon = state.good > 0 || (state.is_detour && state.direct_good > 0);
  if (state.verdict != ProbeVerdict::kSilent || may_change_soon) return kSoon;
  if (state.lost < kLossesToSlowDown) return state.target.has_choice() ? kSoon : kSilentInterval;
  return state.is_detour || state.lost < kLossesToBeRare ? kSilentInterval : kLongSilentInterval;
}

std::vector<ProbeTable::Question> ProbeTable::ask(Clock::time_point now) {
  expire(now);
  std::vector<Question> questions;
  const std::size_t count = states_.size();
  int turns = kTurnsPerTick;
  for (std::size_t i = 0; i < std::min(count, kMostLookedAt) && turns > 0; ++i) {
    next_turn_ = (next_turn_ + 1) % count;
    const State& state = states_[next_turn_];
    if (state.is_suspect || now - state.asked_at < kLeastInterval) continue;
    ask_one(next_turn_, now, questions);
    --turns;
  }
  int repeats = kRepeatsPerTick;
  for (std::size_t i = 0; i < std::min(suspects_.size(), kMostLookedAt) && repeats > 0; ++i) {
    auto at = suspects_.upper_bound(next_suspect_);
    if (at == suspects_.end()) at = suspects_.begin();
    next_suspect_ = *at;
    const State& state = states_[*at];
    if (now - state.asked_at < interval_of(state)) continue;
    ask_one(*at, now, questions);
    --repeats;
  }
  return questions;
}

void ProbeTable::expire(Clock::time_point now) {
  while (!sent_.empty() && now - sent_.front().first >= kPatience) {
    const auto found = pending_.find(sent_.front().second);
    sent_.pop_front();
    if (found == pending_.end()) continue;
    const Pending lost = found->second;
    pending_.erase(found);
    lose(states_[lost.index], lost.way);
    judge(lost.index, now);
  }
}

void ProbeTable::lose(State& state, ProbeWay way) {
  switch (way) {
    case ProbeWay::kPods:
      ++state.lost;
      state.good = 0;
      break;
    case ProbeWay::kNode:
      ++state.node_lost;
      state.node_good = 0;
      break;
    case ProbeWay::kTunnel:
      state.tunnel_good = 0;
      break;
    case ProbeWay::kDirect:
      state.direct_good = 0;
      break;
  }
}

bool ProbeTable::take_answer(const ProbeMessage& answer, const IpAddr& from,
                             Clock::time_point now) {
  const auto found = pending_.find(answer.nonce);
  if (found == pending_.end() || found->second.way != answer.way) return false;
  const std::size_t index = found->second.index;
  State& state = states_[index];
  const bool is_node = answer.way == ProbeWay::kNode;
  if (from != (is_node ? state.target.node_address : state.target.address)) return false;
  pending_.erase(found);
  const bool was_finding = is_finding(state);
  if (was_finding && state.flags != answer.flags) ++version_;
  state.flags = answer.flags;
  switch (answer.way) {
    case ProbeWay::kPods:
      state.lost = 0;
      ++state.good;
      state.refused.reset();
      break;
    case ProbeWay::kNode:
      ++state.node_good;
      state.node_lost = 0;
      break;
    case ProbeWay::kTunnel:
      ++state.tunnel_good;
      break;
    case ProbeWay::kDirect:
      ++state.direct_good;
      break;
  }
  judge(index, now);
  if (was_finding && !is_finding(state)) ++version_;
  return true;
}

void ProbeTable::take_refusal(const ProbeMessage& question, const ProbeRefusal& refusal) {
  const auto found = pending_.find(question.nonce);
  if (found == pending_.end() || found->second.way != question.way ||
      question.way != ProbeWay::kPods)
    return;
  State& state = states_[found->second.index];
  // Its daemon is only just starting, or gone: no firewall has that address.
  if (refusal.by == state.target.address) return;
  if (state.refused != refusal) ++version_;
  state.refused = refusal;
}

bool ProbeTable::can_answer(const State& state) const {
  if (state.verdict != ProbeVerdict::kUnknown || state.is_detour) return true;
  return state.target.address.is_v4() ? state.flags.probes_v4 : state.flags.probes_v6;
}

bool ProbeTable::never_answers(const State& state) {
  return state.verdict == ProbeVerdict::kUnknown && state.lost >= kLossesToBeSilent;
}

bool ProbeTable::is_finding(const State& state) {
  return state.verdict == ProbeVerdict::kSilent || state.is_detour || never_answers(state);
}

bool ProbeTable::is_up(const State& state) {
  return state.node_good > 0 || state.tunnel_good > 0 || state.direct_good > 0;
}

void ProbeTable::set_verdict(State& state, ProbeVerdict verdict) {
  state.verdict = verdict;
  state.since = std::chrono::system_clock::now();
  if (is_finding(state)) ++version_;
}

void ProbeTable::judge(std::size_t index, Clock::time_point now) {
  State& state = states_[index];
  const unsigned enough = state.verdict == ProbeVerdict::kSilent ? kAnswersToBeBack : 1;
  if (state.verdict != ProbeVerdict::kAnswering && state.good >= enough)
    set_verdict(state, ProbeVerdict::kAnswering);
  if (state.verdict != ProbeVerdict::kSilent && state.lost >= kLossesToBeSilent &&
      can_answer(state))
    set_verdict(state, ProbeVerdict::kSilent);
  if (state.verdict == ProbeVerdict::kUnknown && state.lost == kLossesToBeSilent) ++version_;

  if (!state.is_detour && state.target.has_choice() && state.verdict == ProbeVerdict::kSilent &&
      state.lost >= kLossesToBeSilent && state.tunnel_good >= kTunnelToDetour &&
      now >= state.no_detour_before) {
    const bool was_recent =
        state.came_back_at != Clock::time_point{} && now - state.came_back_at < kLongestHold;
    state.hold = was_recent ? std::min(state.hold * 2, kLongestHold) : kFirstHold;
    state.is_detour = true;
    state.detour_since = now;
    state.direct_good = 0;
    state.lost = 0;
    ++version_;
  } else if (state.is_detour && state.target.by_tunnel && state.lost >= kLossesToGiveUp) {
    state.is_detour = false;
    state.no_detour_before = now + kLongestHold;
    ++version_;
  } else if (state.is_detour && state.direct_good >= kDirectToComeBack &&
             now - state.detour_since >= state.hold) {
    state.is_detour = false;
    state.came_back_at = now;
    state.tunnel_good = 0;
    ++version_;
  }
  // One that never answered is asked in its turn alone: it may not know how to.
  state.is_suspect = state.is_detour || state.verdict == ProbeVerdict::kSilent ||
                     (state.lost > 0 && (state.lost <= kLossesToBeSilent || can_answer(state)));
  if (state.is_suspect)
    suspects_.insert(index);
  else
    suspects_.erase(index);
}

const ProbeTarget* ProbeTable::find_asker(const IpAddr& address, ProbeWay way) const {
  const auto& by = way == ProbeWay::kNode ? by_node_address_ : by_address_;
  const auto found = std::ranges::lower_bound(by, address, {}, &Place::address);
  return found == by.end() || found->address != address ? nullptr : &states_[found->index].target;
}

/// From what is certain to what is likely.
std::string ProbeTable::cause_of(const State& state, const ProbeFacts& facts) const {
  const ProbeTarget& target = state.target;
  const std::string probe_port = "UDP port " + std::to_string(facts.probe_port);
  const std::string tunnel_port = "UDP port " + std::to_string(facts.tunnel_port);
  if (state.is_detour && state.verdict != ProbeVerdict::kSilent)
    return "the network between the nodes drops packets with pods' addresses: the node answers "
           "through the tunnel, and not over the link; pods reach it through the tunnel meanwhile";
  if (state.refused && state.refused->is_firewall)
    return "a firewall refuses it: " + state.refused->by.str() +
           " answers with an ICMP error; there, let forwarded packets of the PodCIDRs pass "
           "(firewalld: add the bridge to the zone trusted)";
  if (facts.drops_forwarded)
    return "a firewall of this node drops forwarded packets by its policy (iptables -S FORWARD); "
           "let those of the PodCIDRs pass";
  if (is_up(state) && state.flags.drops_forwarded)
    return "a firewall of that node drops forwarded packets by its policy (there: iptables -S "
           "FORWARD); let those of the PodCIDRs pass";
  if (state.refused && is_up(state))
    return state.refused->by.str() +
           " answers with an ICMP error that it has no way there: the node is up, so look there "
           "for "
           "a route to the PodCIDR (ip route get " +
           target.address.str() + ")";
  if (!is_up(state) && !target.can_ask_node)
    return "it is not known why: this node cannot ask that one at " + target.node_address.str() +
           ", since it has no socket at an own InternalIP";
  if (!is_up(state))
    return "probably the node is down or its kube-cnid does not run, since it does not answer at " +
           target.node_address.str() + ", " + probe_port + ", either; or that port is closed, too";
  if (target.by_tunnel && state.tunnel_good == 0)
    return "probably " + tunnel_port +
           " is closed between the nodes, or a firewall of that node "
           "drops forwarded packets: the node answers at " +
           target.node_address.str() + ", and not through the tunnel";
  if (target.by_tunnel || (state.tunnel_good == 0 && target.tunnel))
    return "probably a firewall of one of the two nodes drops forwarded packets (iptables -S "
           "FORWARD, nft list ruleset): the node answers " +
           (state.node_good > 0 ? "at " + target.node_address.str() : "through the tunnel");
  if (state.tunnel_good > 0)
    return "probably the network between the nodes drops packets with pods' addresses: the node "
           "answers through the tunnel; use --routing auto or vxlan";
  return "probably the network between the nodes drops packets with pods' addresses, or a firewall "
         "of one of them drops forwarded packets: the node itself answers at " +
         target.node_address.str();
}

ProbeReport ProbeTable::report(const ProbeFacts& facts) const {
  ProbeReport report;
  for (const State& state : states_) {
    ++(state.verdict == ProbeVerdict::kAnswering ? report.answering
       : state.verdict == ProbeVerdict::kSilent  ? report.silent
                                                 : report.unknown);
    if (state.is_detour) report.detours.insert(key_of(state.target));
    if (!is_finding(state)) continue;
    ProbeFinding finding{.node = state.target.node,
                         .address = state.target.address,
                         .verdict = state.verdict,
                         .since = state.since,
                         .by_tunnel = state.target.by_tunnel,
                         .is_detour = state.is_detour,
                         .is_node_up = is_up(state),
                         .cause = cause_of(state, facts)};
    if (never_answers(state))
      finding.cause = state.node_good > 0
                          ? "its kube-cnid does not test " + family_of(finding.address)
                          : "it has not answered yet, neither its pods' path nor at " +
                                state.target.node_address.str() + ", UDP port " +
                                std::to_string(facts.probe_port) +
                                ": it is down, of an older version, or all of it is closed";
    report.findings.push_back(std::move(finding));
  }
  return report;
}

}  // namespace kubecni
