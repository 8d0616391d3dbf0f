#include "daemon/loop_metrics.hpp"

#include "kubecni/abi.h"

namespace kubecni {

namespace {

// A round on a node at rest takes some milliseconds.
const prometheus::Histogram::BucketBoundaries kDurations{0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                         0.25,   0.5,   1,    2.5,   5,    10};

prometheus::Counter& counter_in(prometheus::Registry& registry, const char* name,
                                const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& gauge_in(prometheus::Registry& registry, const char* name, const char* help,
                            const prometheus::Labels& labels = {}) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

constexpr const char* kModeHelp = "1 for the dataplane that this node uses, 0 for the other one";

constexpr const char* kPeersHelp =
    "PodCIDRs of other nodes, by whether packets of pods get there and back";

constexpr const char* kPolicyPodsHelp =
    "Pods of this node that some network policy isolates, and those that are closed until they are "
    "known";

}  // namespace

LoopMetrics::LoopMetrics()
    : duration_(prometheus::BuildHistogram()
                    .Name("kube_cni_reconcile_duration_seconds")
                    .Help("Time that a round of the reconcile loop took")
                    .Register(registry_)
                    .Add({}, kDurations)),
      changes_(counter_in(registry_, "kube_cni_reconcile_changes_total",
                          "Changes that the reconcile loop made to the node")),
      errors_(counter_in(registry_, "kube_cni_reconcile_errors_total",
                         "Steps of the reconcile loop that failed")),
      last_errors_(gauge_in(registry_, "kube_cni_reconcile_last_errors",
                            "Steps that failed in the last round of the reconcile loop")),
      last_success_(gauge_in(registry_, "kube_cni_reconcile_last_success_timestamp_seconds",
                             "Unix time of the last round of the reconcile loop without an error; "
                             "0 if there was none")),
      known_nodes_(gauge_in(registry_, "kube_cni_nodes_known",
                            "Nodes of the cluster that have a PodCIDR, this one included")),
      skipped_nodes_(gauge_in(registry_, "kube_cni_nodes_skipped",
                              "Nodes of which something cannot be used or reached; see kube-cnictl "
                              "nodes")),
      answering_(gauge_in(registry_, "kube_cni_probe_peers", kPeersHelp, {{"state", "answering"}})),
      silent_(gauge_in(registry_, "kube_cni_probe_peers", kPeersHelp, {{"state", "silent"}})),
      unknown_(gauge_in(registry_, "kube_cni_probe_peers", kPeersHelp, {{"state", "unknown"}})),
      detours_(
          gauge_in(registry_, "kube_cni_probe_detours",
                   "PodCIDRs of other nodes that are reached through the tunnel, since packets "
                   "of pods do not get there directly")),
      policies_(gauge_in(registry_, "kube_cni_policies", "Network policies of the cluster")),
      broken_policies_(gauge_in(registry_, "kube_cni_policies_broken",
                                "Network policies that cannot be enforced, and close their "
                                "pods; see kube-cnictl policy")),
      isolated_pods_(
          gauge_in(registry_, "kube_cni_policy_pods", kPolicyPodsHelp, {{"state", "isolated"}})),
      closed_pods_(
          gauge_in(registry_, "kube_cni_policy_pods", kPolicyPodsHelp, {{"state", "closed"}})),
      seconds_to_force_(gauge_in(registry_, "kube_cni_policy_force_seconds",
                                 "Time from when the last change of policies, pods or namespaces "
                                 "was heard of until it was in force")),
      ebpf_(gauge_in(registry_, "kube_cni_dataplane_mode", kModeHelp, {{"mode", "ebpf"}})),
      bridge_(gauge_in(registry_, "kube_cni_dataplane_mode", kModeHelp, {{"mode", "bridge"}})) {
  gauge_in(registry_, "kube_cni_build_info", "Version of kube-cnid and schema of its eBPF maps",
           {{"schema", std::to_string(KUBECNI_SCHEMA)}, {"version", KUBECNI_VERSION}})
      .Set(1);
}

void LoopMetrics::add(const Round& round, std::chrono::duration<double> duration) {
  known_nodes_.Set(static_cast<double>(round.known_nodes));
  skipped_nodes_.Set(static_cast<double>(round.skipped_nodes));
  answering_.Set(static_cast<double>(round.answering_peers));
  silent_.Set(static_cast<double>(round.silent_peers));
  unknown_.Set(static_cast<double>(round.unknown_peers));
  detours_.Set(static_cast<double>(round.detours));
  if (!round.reconciled) return;
  policies_.Set(static_cast<double>(round.policies.known));
  broken_policies_.Set(static_cast<double>(round.policies.broken));
  isolated_pods_.Set(static_cast<double>(round.policies.isolated));
  closed_pods_.Set(static_cast<double>(round.policies.closed));
  seconds_to_force_.Set(round.policies.seconds_to_force);
  duration_.Observe(duration.count());
  changes_.Increment(static_cast<double>(round.changes));
  errors_.Increment(static_cast<double>(round.errors));
  last_errors_.Set(static_cast<double>(round.errors));
  if (round.errors == 0) last_success_.SetToCurrentTime();
  ebpf_.Set(round.dataplane == "ebpf" ? 1 : 0);
  bridge_.Set(round.dataplane == "bridge" ? 1 : 0);
}

}  // namespace kubecni
