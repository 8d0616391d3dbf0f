#include "daemon/reporter.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "daemon/diagnosis.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace kubecni {

namespace {

PathStatus status_of(const PeerPath& path) {
  return {.name = path.node,
          .pod_cidr = path.cidr.str(),
          .kind = path.kind == PathKind::kVxlan ? "vxlan" : "direct",
          .next_hop = path.next_hop.str(),
          .device = path.device.name,
          .mtu = path.mtu,
          .why = path.why};
}

BgpSessionStatus status_of(const BgpSession& session) {
  return {.name = session.node,
          .address = session.peer.str(),
          .as = session.as,
          .state = session.state};
}

std::string utc(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[sizeof("2026-01-01T00:00:00Z")];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string state_of(const ProbeFinding& finding) {
  if (finding.verdict == ProbeVerdict::kSilent) return "silent";
  return finding.is_detour ? "detour" : "unknown";
}

ProbeStatus status_of(const ProbeReport& report) {
  ProbeStatus status{.answering = static_cast<unsigned>(report.answering),
                     .silent = static_cast<unsigned>(report.silent),
                     .unknown = static_cast<unsigned>(report.unknown),
                     .peers = {}};
  for (const ProbeFinding& finding : report.findings)
    status.peers.push_back({.name = finding.node,
                            .address = finding.address.str(),
                            .state = state_of(finding),
                            .is_detour = finding.is_detour,
                            .since = utc(finding.since),
                            .text = text_of(finding)});
  return status;
}

/// Of the nodes that are up, those whose pods are not reached, and why the first is not. Of a node
/// that is down the cluster knows. Empty also while they are a small part of the nodes: then each
/// of them says it, and not the whole cluster.
std::string not_reached(const ProbeReport& report) {
  constexpr std::size_t kNamed = 3;
  constexpr std::size_t kSmallPart = 10;
  std::map<std::string, std::string> causes;
  for (const ProbeFinding& finding : report.findings)
    if (finding.verdict == ProbeVerdict::kSilent && finding.is_node_up)
      causes.emplace(finding.node, text_of(finding));
  if (causes.empty() || report.silent * kSmallPart < report.silent + report.answering) return "";
  std::string nodes;
  std::size_t named = 0;
  for (const auto& [node, cause] : causes)
    if (named++ < kNamed) append_word(nodes, node);
  if (causes.size() > kNamed) nodes += " and " + std::to_string(causes.size() - kNamed) + " others";
  const auto& [first, cause] = *causes.begin();
  return "Pods do not reach those of " + nodes + ". " + first + ": " + cause;
}

bool isolates(const std::string& policy, const PolicyPodStatus& pod) {
  return std::ranges::find(pod.ingress.policies, policy) != pod.ingress.policies.end() ||
         std::ranges::find(pod.egress.policies, policy) != pod.egress.policies.end();
}

/// The first policy that closes pods of this node since it cannot be enforced. Other nodes say it
/// of theirs, and not each node of all.
std::string broken_policy(const PolicyStatus& status) {
  for (const BrokenPolicyStatus& broken : status.broken)
    if (std::ranges::any_of(status.pods,
                            [&](const auto& pod) { return isolates(broken.policy, pod); }))
      return "The network policy " + broken.policy +
             " closes the pods that it selects: " + broken.reason;
  return "";
}

/// Without the list of plugins the runtime starts no pod, even if the node is ready otherwise.
std::string why_no_pod_starts(const RoundReport& report) {
  auto reason = report.first_of(ConditionKind::kNotReady);
  return reason.empty() ? report.first_of(ConditionKind::kListPending) : reason;
}

PolicyCounts counts_of(const PolicyStatus& status) {
  PolicyCounts counts{.known = status.policies,
                      .broken = status.broken.size(),
                      .seconds_to_force = status.seconds_to_force};
  for (const PolicyPodStatus& pod : status.pods) {
    if (!pod.is_known) ++counts.closed;
    if (!pod.ingress.chain.empty() || !pod.egress.chain.empty()) ++counts.isolated;
  }
  return counts;
}

Round metrics_of(const RoundReport& report) {
  std::set<std::string_view> skipped;
  for (const Outcome& outcome : report.outcomes)
    for (const Condition& condition : outcome.conditions)
      if (condition.kind == ConditionKind::kNodeSkipped) skipped.insert(condition.subject);
  return {.reconciled = report.reconciled,
          .dataplane = report.dataplane,
          .known_nodes = report.known_nodes,
          .skipped_nodes = skipped.size(),
          .answering_peers = report.probes.answering,
          .silent_peers = report.probes.silent,
          .unknown_peers = report.probes.unknown,
          .detours = report.probes.detours.size(),
          .changes = report.count_changes(),
          .errors = report.texts_of(ConditionKind::kFailed).size(),
          .policies = counts_of(report.policy),
          .not_ready = why_no_pod_starts(report)};
}

}  // namespace

DaemonStatus status_of(const RoundReport& report, const std::string& node_name,
                       const SourceReport& source, const ServedReport& served) {
  DaemonStatus status;
  status.pid = static_cast<unsigned>(::getpid());
  status.version = KUBECNI_VERSION;
  status.node_name = node_name;
  status.known = report.knows_self;
  for (const IpNet& cidr : report.pod_cidrs) status.pod_cidrs.push_back(cidr.str());
  status.mtu = report.mtu;
  status.source = source.name;
  status.source_error = source.error;
  status.metrics = served.metrics;
  status.health = served.health;
  status.dataplane = report.dataplane;
  status.fallback_reason = report.first_of(ConditionKind::kKernelPath);
  status.wires = report.wires;
  status.no_conntrack_reason = report.first_of(ConditionKind::kNoConntrack);
  status.tunnel_checksum_offload = report.tunnel_checksum_offload;
  for (const PeerPath& path : report.paths) status.nodes.push_back(status_of(path));
  for (const BgpSession& session : report.bgp) status.bgp.push_back(status_of(session));
  status.probes = status_of(report.probes);
  for (const Outcome& outcome : report.outcomes) {
    for (const Condition& condition : outcome.conditions) {
      if (condition.kind == ConditionKind::kNodeSkipped)
        status.skipped.push_back({condition.subject, condition.text});
      if (condition.kind == ConditionKind::kNodeDoubtful)
        status.warnings.push_back({condition.subject, condition.text});
    }
  }
  status.full_pools = report.texts_of(ConditionKind::kFullPool);
  status.cni = {.list = report.list.path,
                .has_list = report.list.exists,
                .pending = report.first_of(ConditionKind::kListPending),
                .cni_version = report.list.cni_version,
                .plugins = report.list.plugins,
                .warnings = report.texts_of(ConditionKind::kPlugins)};
  status.errors = report.texts_of(ConditionKind::kFailed);
  for (std::string& text : report.texts_of(ConditionKind::kPolicy))
    status.errors.push_back(std::move(text));
  return status;
}

void Reporter::log_condition(const Condition& condition, std::string_view controller) const {
  const std::string& text = condition.text;
  switch (condition.kind) {
    case ConditionKind::kFailed:
      return log::error("not reconciled", {{"err", text}, {"controller", std::string(controller)}});
    case ConditionKind::kNodeSkipped:
      return log::warn("node skipped", {{"node", condition.subject}, {"err", text}});
    case ConditionKind::kNodeDoubtful:
      return log::warn("node may be wrong", {{"node", condition.subject}, {"what", text}});
    case ConditionKind::kKernelPath:
      log::warn("kernel path only", {{"reason", text}});
      return log_diagnosis(options_.bpffs);
    case ConditionKind::kNoConntrack:
      return log::warn(
          "programs cannot ask conntrack, so flows that began on the kernel path stay there",
          {{"reason", text}});
    case ConditionKind::kNotReady:
      return log::warn("this node cannot take pods", {{"reason", text}});
    case ConditionKind::kListPending:
      return;  // only in status.json; a failure has its own condition
    case ConditionKind::kFullPool:
      return log::warn("no address for another pod", {{"reason", text}});
    case ConditionKind::kPeerSilent:
      return log::warn("pods of another node are not reached as they should be",
                       {{"node", condition.subject}, {"what", text}});
    case ConditionKind::kPolicy:
      return log::warn("network policy", {{"policy", condition.subject}, {"what", text}});
    case ConditionKind::kPlugins:
      return log::warn("plugins of the runtime", {{"what", text}});
  }
}

void Reporter::tell_changes(const Outcome& outcome) {
  for (const auto& change : outcome.changes)
    log::info("changed", {{"what", change}, {"controller", std::string(outcome.controller)}});
}

void Reporter::tell_denials(const std::vector<LoggedDenial>& denials) {
  for (const LoggedDenial& denial : denials) {
    const char* msg =
        denial.is_answer ? "answer denied by network policy" : "packet denied by network policy";
    const log::Field from{"from", denial.from}, to{"to", denial.to};
    const log::Field protocol{"protocol", denial.protocol};
    const log::Field policies{"policies", denial.policies},
        direction{"direction", denial.direction};
    if (!denial.port.empty())
      log::info(msg, {from, to, protocol, {"port", denial.port}, policies, direction});
    else if (!denial.icmp_type.empty())
      log::info(msg, {from, to, protocol, {"type", denial.icmp_type}, policies, direction});
    else
      log::info(msg, {from, to, protocol, policies, direction});
  }
}

/// Logs each condition once, as long as it lasts. Before the cluster is known, does not log that
/// the node is not ready.
void Reporter::log_news(const RoundReport& report) {
  std::set<Condition> current;
  for (const Outcome& outcome : report.outcomes) {
    tell_changes(outcome);
    for (const Condition& condition : outcome.conditions) {
      if (!report.reconciled && condition.kind == ConditionKind::kNotReady) continue;
      if (current.insert(condition).second && !told_.contains(condition))
        log_condition(condition, outcome.controller);
    }
  }
  told_ = std::move(current);
}

void Reporter::tell(const RoundReport& report, const SourceReport& source) {
  log_news(report);
  if (report.reconciled && writer_)
    writer_->want({.why_not_ready = report.first_of(ConditionKind::kNotReady),
                   .kernel_path_reason = report.first_of(ConditionKind::kKernelPath),
                   .no_address = report.first_of(ConditionKind::kFullPool),
                   .not_reached = not_reached(report.probes),
                   .broken_policy = broken_policy(report.policy)});
  const auto status = status_of(report, options_.node_name, source,
                                {observer_.describe_metrics(), observer_.describe_health()});
  if (auto written = write_daemon_status(options_.run_dir, status); !written)
    log::error("status not written", {{"err", written.error().what}});
  if (report.reconciled)
    if (auto written = write_policy_status(options_.run_dir, report.policy); !written)
      log::error("status of policies not written", {{"err", written.error().what}});
  observer_.end_round(metrics_of(report));
}

}  // namespace kubecni
