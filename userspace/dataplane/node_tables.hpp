#pragma once

#include "base/result.hpp"
#include "dataplane/decision_map.hpp"
#include "dataplane/dual_stack_map.hpp"

#include <filesystem>

namespace kubecni {

// Each opens what is pinned below `bpffs`, with the errors of BpfMap::open().

/// How to reach the node of each PodCIDR.
Result<NodeCidrMap> open_node_cidrs(const std::filesystem::path& bpffs);

/// The addresses from which nodes of the cluster may send through the tunnel. The entry of
/// IpAddr::any(family) says that the family's list is complete; without it no sender of that family
/// is refused. So set it last.
Result<TunnelPeerMap> open_tunnel_peers(const std::filesystem::path& bpffs);

/// The devices that keep departure times, by ifindex.
using PacingDeviceMap = DecisionMap<__u32, __u32>;
Result<PacingDeviceMap> open_pacing_devices(const std::filesystem::path& bpffs);

/// The device by which packets to another node leave this one; 0: the kernel may choose any.
unsigned way_to(const kubecni_node& node);

/// What holds for the whole node.
class NodeConfig {
 public:
  static Result<NodeConfig> open(const std::filesystem::path& bpffs);

  /// All zero if nothing was set yet.
  [[nodiscard]] Result<kubecni_node_config> read() const;
  Result<> set(const kubecni_node_config& config);

  /// The network of the pods of other nodes: the ifindex of its bridge. 0 is none: then eBPF
  /// carries nothing between nodes.
  [[nodiscard]] Result<unsigned> cluster_network() const;
  Result<> set_cluster_network(unsigned bridge_ifindex);

  /// Whether the programs drop what the policies' table should have judged and has not.
  Result<> set_needs_judged_mark(bool needed);

  /// Whether the programs look for pacers of pods.
  Result<> set_has_pacers(bool has);

 private:
  using Map = DecisionMap<__u32, kubecni_node_config>;
  explicit NodeConfig(Map map) : map_(std::move(map)) {}
  Map map_;
};

}  // namespace kubecni
