#pragma once

#include "control/bgp/bgp_controller.hpp"
#include "control/install/install_controller.hpp"
#include "control/nodes/peer_path.hpp"
#include "control/outcome.hpp"
#include "control/probe/probe_table.hpp"
#include "state/policy_status.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// What the controllers report of one round, and the state of the node after it.
struct RoundReport {
  bool reconciled = false;        ///< false: the cluster is not known
  std::vector<Outcome> outcomes;  ///< in the order of the controllers

  std::size_t known_nodes = 0;  ///< with a PodCIDR, also this one
  bool knows_self = false;      ///< this node's Node object was seen, and could be used
  std::vector<IpNet> pod_cidrs;
  unsigned mtu = 0;  ///< bytes, for pods
  std::vector<PeerPath> paths;
  std::vector<BgpSession> bgp;
  std::vector<std::string> wires;
  ProbeReport probes;
  std::string dataplane;  ///< "ebpf" or "bridge"; empty: the cluster is not known
  std::string tunnel_checksum_offload;
  ListState list;
  PolicyStatus policy;

  /// The texts of the conditions of a kind, in the order of the controllers.
  [[nodiscard]] std::vector<std::string> texts_of(ConditionKind kind) const;
  /// The first of these texts; empty: none.
  [[nodiscard]] std::string first_of(ConditionKind kind) const;
  [[nodiscard]] std::size_t count_changes() const;
  /// When the next round has to come at the latest; empty: at the usual time.
  [[nodiscard]] std::optional<std::chrono::milliseconds> again_in() const;
};

}  // namespace kubecni
