#pragma once

#include "base/result.hpp"
#include "cluster/cluster_view.hpp"
#include "cluster/peer_change.hpp"
#include "control/bgp/bgp_controller.hpp"
#include "control/bridge/bridge_controller.hpp"
#include "control/firewall/firewall_controller.hpp"
#include "control/install/install_controller.hpp"
#include "control/nodes/nodes_controller.hpp"
#include "control/options.hpp"
#include "control/pods/pods_controller.hpp"
#include "control/policy/policy_controller.hpp"
#include "control/probe/probe_controller.hpp"
#include "control/programs/programs_controller.hpp"
#include "control/retry.hpp"
#include "daemon/round_report.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace kubecni {

/// The controllers of a node. Runs them in the order in which they need each other; if one fails,
/// the others go on. Runs in the node's namespace.
class Controllers {
 public:
  /// Errors: those of opening the controllers.
  static Result<Controllers> open(const DaemonOptions& options);

  /// Makes the node equal to `view`. Null: the cluster is not known yet; then it only installs the
  /// plugin, removes what ended pods left, and keeps the policies.
  RoundReport run(const ClusterView* view, const PolicyView& policies);

  /// Readable when something changed in the runtime's folders.
  [[nodiscard]] int fd() const { return install_.fd(); }
  void drain() { install_.drain(); }
  /// Readable when another node does not answer any more, or does again; -1: none is asked. It
  /// changes with run().
  [[nodiscard]] int probe_fd() const { return probe_.news_fd(); }
  void take_probe_news() const { probe_.take_news(); }

  /// Readable when take_policy_changes() may have something; -1: never. They change with run().
  [[nodiscard]] int records_fd() const { return policy_.records_fd(); }
  [[nodiscard]] int policy_table_fd() const { return policy_.table_fd(); }
  /// Whether a pod came or went, or somebody changed the policies' table.
  bool take_policy_changes() { return policy_.take_changes(); }
  /// Follows such a change, without a round.
  Outcome catch_up_policies();
  /// Follows other objects of policies, without a round. Result: false if that needs one.
  bool follow_policies(const PolicyView& policies, Outcome& outcome);

  /// Follows changes of other nodes, without a round: what netfilter knows of them, their routes
  /// and map entries. Result: false if that needs one.
  bool follow_nodes(const std::vector<PeerChange>& changes, Outcome& outcome);

  /// Readable when BIRD has ended; -1: it does not run. It changes with run().
  [[nodiscard]] int bird_fd() const { return bgp_.fd(); }

  /// As those of PolicyController.
  [[nodiscard]] int denied_fd() const { return policy_.denied_fd(); }
  std::vector<LoggedDenial> take_denials() { return policy_.take_denials(); }

  /// Removes only what run() made for traffic between nodes and to the outside. Pods keep the
  /// bridge, and reach each other on this node.
  RoundReport clean_up();

 private:
  using Clock = std::chrono::steady_clock;

  Controllers(DaemonOptions options, ProgramsController programs, BridgeController bridge,
              NodesController nodes, PodsController pods, PolicyController policy,
              InstallController install, ProbeController probe)
      : options_(std::move(options)),
        programs_(std::move(programs)),
        firewall_(options_),
        bridge_(std::move(bridge)),
        nodes_(std::move(nodes)),
        bgp_(options_.run_dir),
        pods_(std::move(pods)),
        policy_(std::move(policy)),
        install_(std::move(install)),
        probe_(std::move(probe)) {}

  void reconcile(const ClusterView& view, const PolicyView& policies, RoundReport& report);
  struct BgpPlan {
    BirdConfig config;
    bool has_routes;
  };
  FirewallDuties duties_of_firewall(EbpfDataplane* guard);
  [[nodiscard]] std::optional<BgpPlan> plan_bgp(const ClusterView& view,
                                                const NodesPlan& plan) const;
  void sync_bgp(std::optional<BgpPlan> plan, Outcome& outcome);
  Outcome sweep(const std::vector<IpNet>& pod_cidrs);

  DaemonOptions options_;
  ProgramsController programs_;
  FirewallController firewall_;
  BridgeController bridge_;
  NodesController nodes_;
  BgpController bgp_;
  PodsController pods_;
  PolicyController policy_;
  InstallController install_;
  ProbeController probe_;
  std::map<std::string_view, Retry> retries_;  ///< by controller
  std::vector<Condition> unswept_;             ///< of the last sweep
  std::vector<IpNet> swept_cidrs_;             ///< likewise
  Clock::time_point next_sweep_ = Clock::now();
};

}  // namespace kubecni
