#include "daemon/controllers.hpp"

#include "control/node_status/readiness.hpp"
#include "control/probe/probe_message.hpp"
#include "daemon/bird_plan.hpp"
#include "daemon/probe_targets.hpp"
#include "pods/full_pools.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace kubecni {

namespace {

// What an ended pod left is removed after a minute at the latest, also in large clusters, where
// rounds are rarer.
constexpr std::chrono::seconds kSweepInterval{30};
constexpr std::chrono::seconds kSweepDeadline{60};

Outcome describe_cluster(const std::string& own_name, const ClusterView& view) {
  Outcome outcome{.controller = "cluster"};
  for (const SkippedNode& node : view.skipped)
    outcome.say(ConditionKind::kNodeSkipped, node.reason, node.name);
  for (const NodeWarning& warning : view.warnings)
    outcome.say(ConditionKind::kNodeDoubtful, warning.text, warning.name);
  if (auto reason = why_no_pods(own_name, view); !reason.empty())
    outcome.say(ConditionKind::kNotReady, std::move(reason));
  return outcome;
}

void describe_nodes(const DesiredState& desired, RoundReport& report) {
  report.mtu = desired.mtu;
  report.paths = desired.paths;
  for (const auto& [name, device] : desired.wires) report.wires.push_back(name);
}

/// The devices that lead to other nodes.
std::set<std::string> uplinks_of(const DesiredState& desired) {
  std::set<std::string> names;
  for (const PeerPath& path : desired.paths) names.insert(path.device.name);
  return names;
}

void describe_probes(ProbeReport found, RoundReport& report, Outcome& outcome) {
  for (const ProbeFinding& finding : found.findings)
    if (finding.verdict == ProbeVerdict::kSilent || finding.is_detour)
      outcome.say(ConditionKind::kPeerSilent, text_of(finding), finding.node);
  report.probes = std::move(found);
}

OwnNetworks own_networks(const ClusterView& view) {
  OwnNetworks own;
  if (view.self) own.pods = view.self->pod_cidrs;
  for (const IpNet& cidr : own.pods)
    if (const auto address = probe_address_of(cidr)) own.not_pods.push_back(*address);
  return own;
}

/// An outcome for each of the controllers that reconcile() runs.
struct Outcomes {
  Outcome programs{.controller = "programs"};
  Outcome firewall{.controller = "firewall"};
  Outcome bridge{.controller = "bridge"};
  Outcome nodes{.controller = "nodes"};
  Outcome bgp{.controller = "bgp"};
  Outcome pods{.controller = "pods"};
  Outcome policy{.controller = "policy"};
  Outcome probe{.controller = "probe"};

  void move_to(RoundReport& report) {
    for (Outcome* outcome : {&programs, &firewall, &bridge, &nodes, &bgp, &pods, &policy, &probe})
      report.outcomes.push_back(std::move(*outcome));
  }
};

}  // namespace

Result<Controllers> Controllers::open(const DaemonOptions& options) {
  auto programs = ProgramsController::open(options);
  if (!programs) return fail(programs);
  auto bridge = BridgeController::open(options);
  if (!bridge) return fail(bridge);
  auto nodes = NodesController::open(options);
  if (!nodes) return fail(nodes);
  auto pods = PodsController::open(options);
  if (!pods) return fail(pods);
  auto policy = PolicyController::open(options);
  if (!policy) return fail(policy);
  auto install = InstallController::open(options);
  if (!install) return fail(install);
  auto probe = ProbeController::open(options);
  if (!probe) return fail(probe);
  return Controllers(options, std::move(*programs), std::move(*bridge), std::move(*nodes),
                     std::move(*pods), std::move(*policy), std::move(*install), std::move(*probe));
}

void Controllers::reconcile(const ClusterView& view, const PolicyView& policies,
                            RoundReport& report) {
  Outcomes outcomes;
  // A pod's packets have to come by the kernel path before the policies' table judges them there.
  policy_.prepare(own_networks(view), policies, outcomes.policy);
  const PolicedPods policed = [this](const Attachment& pod) { return policy_.policed(pod); };
  programs_.sync(outcomes.programs);
  EbpfDataplane* const dataplane = programs_.dataplane();
  const bool by_ebpf = programs_.carries_nodes();
  EbpfDataplane* for_pods = programs_.for_pods();

  // The firewall guards the tunnel before the device exists, and until a program guards it.
  EbpfDataplane* const guard = by_ebpf ? dataplane : nullptr;
  const FirewallDuties duties = duties_of_firewall(guard);
  firewall_.sync(view, duties, outcomes.firewall);
  firewall_.sync_forwarding(view, outcomes.firewall);
  auto plan = nodes_.prepare(view, probe_.report().detours, outcomes.nodes);
  bridge_.sync(view, plan ? std::optional(plan->desired.mtu) : std::nullopt,
               plan ? uplinks_of(plan->desired) : std::set<std::string>(),
               by_ebpf || programs_.changes_schema() ? dataplane : nullptr, outcomes.bridge);
  std::optional<BgpPlan> bgp;
  if (plan) {
    describe_nodes(plan->desired, report);
    if (programs_.changes_schema() && dataplane) {
      programs_.carry_over_flows(outcomes.programs);
      nodes_.fill_maps(by_ebpf ? plan->desired : DesiredState{}, *dataplane, outcomes.nodes);
      pods_.fill_maps(*dataplane, policed, outcomes.pods);
    }
    bgp = plan_bgp(view, *plan);
    nodes_.apply(view, *plan, dataplane, by_ebpf, outcomes.nodes);
    report.tunnel_checksum_offload = nodes_.offload();
  } else if (programs_.changes_schema()) {
    for_pods = nullptr;  // the maps that the programs would use are not filled
  }
  if (const FirewallDuties now = duties_of_firewall(guard); now != duties)
    firewall_.sync(view, now, outcomes.firewall);
  pods_.sync(view, for_pods, policed, outcomes.pods);
  policy_.apply(outcomes.policy);
  report.policy = policy_.status();
  if (plan)
    probe_.sync(view, plan_probe_targets(view, *plan), plan->desired.mtu,
                firewall_.drops_forwarded(),
                plan->underlay.tunnel ? plan->underlay.tunnel->mac : MacAddr{}, outcomes.probe);
  describe_probes(probe_.report(), report, outcomes.probe);
  programs_.finish(outcomes.programs);
  // Last: BIRD may let us wait.
  if (plan) sync_bgp(std::move(bgp), outcomes.bgp);
  report.bgp = bgp_.sessions();
  report.dataplane = programs_.dataplane() ? "ebpf" : "bridge";
  outcomes.move_to(report);
}

FirewallDuties Controllers::duties_of_firewall(EbpfDataplane* guard) {
  return {.guards_tunnel = !nodes_.is_guarding_tunnel(guard),
          .marks_remote = nodes_.has_ways_back()};
}

/// What BIRD has to do, and whether the kernel has routes of BIRD's; empty: there is to be none.
/// Before the nodes' controller takes the routes out of its plan.
std::optional<Controllers::BgpPlan> Controllers::plan_bgp(const ClusterView& view,
                                                          const NodesPlan& plan) const {
  if (options_.routing != Routing::kBgp || !view.self) return std::nullopt;
  Underlay underlay = plan.underlay;
  underlay.routes = plan.routes;
  return BgpPlan{.config = plan_bird(view, underlay, options_),
                 .has_routes = std::ranges::any_of(plan.routes, [](const Route& route) {
                   return route.table == kBgpTable && route.protocol == RTPROT_BIRD;
                 })};
}

/// After the nodes' controller: a way without BIRD is there before BIRD ends.
void Controllers::sync_bgp(std::optional<BgpPlan> plan, Outcome& outcome) {
  if (options_.routing != Routing::kBgp) return bgp_.stop(outcome);
  if (plan) bgp_.sync(std::move(plan->config), plan->has_routes, outcome);
}

Outcome Controllers::sweep(const std::vector<IpNet>& pod_cidrs) {
  Outcome outcome{.controller = "sweep"};
  if (Clock::now() >= next_sweep_ || pod_cidrs != swept_cidrs_) {
    swept_cidrs_ = pod_cidrs;
    pods_.sweep(outcome);
    auto full = find_full_pools({options_.state_dir, options_.bpffs}, pod_cidrs);
    if (!full) outcome.fail(full.error().what);
    if (full)
      for (std::string& pool : *full) outcome.say(ConditionKind::kFullPool, std::move(pool));
    unswept_ = outcome.conditions;
    next_sweep_ = Clock::now() + kSweepInterval;
  }
  outcome.conditions = unswept_;
  outcome.again_in = std::chrono::ceil<std::chrono::milliseconds>(
      next_sweep_ + (kSweepDeadline - kSweepInterval) - Clock::now());
  return outcome;
}

RoundReport Controllers::run(const ClusterView* view, const PolicyView& policies) {
  RoundReport report;
  report.reconciled = view != nullptr;
  const ClusterView unknown{.self = {}, .peers = {}, .skipped = {}, .owners = {}};
  const ClusterView& seen = view ? *view : unknown;
  report.known_nodes = seen.peers.size() + (seen.self ? 1 : 0);
  report.knows_self = seen.self.has_value();
  if (seen.self) report.pod_cidrs = seen.self->pod_cidrs;
  report.outcomes.push_back(describe_cluster(options_.node_name, seen));
  if (view)
    reconcile(*view, policies, report);
  else
    report.probes = probe_.report();
  Outcome install{.controller = "install"};
  install_.sync(report.first_of(ConditionKind::kNotReady), install);
  report.outcomes.push_back(std::move(install));
  report.list = install_.state();
  for (Outcome& outcome : report.outcomes)
    retries_[outcome.controller].schedule(outcome, Clock::now());
  report.outcomes.push_back(sweep(report.pod_cidrs));
  return report;
}

Outcome Controllers::catch_up_policies() {
  Outcome outcome{.controller = "policy"};
  // First, so that no pod whose policies are in force can send as another one.
  pods_.guard(outcome);
  policy_.catch_up(outcome);
  return outcome;
}

bool Controllers::follow_policies(const PolicyView& policies, Outcome& outcome) {
  outcome.controller = "policy";
  pods_.guard(outcome);
  return policy_.follow(policies, outcome);
}

bool Controllers::follow_nodes(const std::vector<PeerChange>& changes, Outcome& outcome) {
  outcome.controller = "nodes";
  const auto tell_netfilter = [&] { return firewall_.admit(changes); };
  return !programs_.changes_schema() &&
         nodes_.follow(changes, tell_netfilter, programs_.dataplane(), programs_.carries_nodes(),
                       outcome);
}

RoundReport Controllers::clean_up() {
  RoundReport report;
  Outcomes outcomes;
  if (nodes_.clean_up(programs_.open_pinned(outcomes.programs), outcomes.nodes))
    FirewallController::clean_up(outcomes.firewall);
  else
    outcomes.firewall.fail("nftables table inet kube-cni stays: it may guard the tunnel device");
  bgp_.stop(outcomes.bgp);
  pods_.clean_up(outcomes.pods);
  policy_.clean_up(outcomes.policy);
  probe_.clean_up(outcomes.probe);
  outcomes.move_to(report);
  return report;
}

}  // namespace kubecni
