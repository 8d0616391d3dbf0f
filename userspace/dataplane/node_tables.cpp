#include "dataplane/node_tables.hpp"

#include "dataplane/pins.hpp"

#include <utility>

namespace kubecni {

Result<NodeCidrMap> open_node_cidrs(const std::filesystem::path& bpffs) {
  return NodeCidrMap::open(PinPaths(bpffs).maps, "node_cidrs");
}

Result<TunnelPeerMap> open_tunnel_peers(const std::filesystem::path& bpffs) {
  return TunnelPeerMap::open(PinPaths(bpffs).maps, "tunnel_peers");
}

Result<PacingDeviceMap> open_pacing_devices(const std::filesystem::path& bpffs) {
  return PacingDeviceMap::open(PinPaths(bpffs).maps, "pacing_devices");
}

unsigned way_to(const kubecni_node& node) {
  return node.kind == KUBECNI_NODE_VXLAN ? node.outer_ifindex : node.egress_ifindex;
}

Result<NodeConfig> NodeConfig::open(const std::filesystem::path& bpffs) {
  auto map = Map::open(PinPaths(bpffs).maps, "node_config");
  if (!map) return fail(map);
  return NodeConfig(std::move(*map));
}

Result<kubecni_node_config> NodeConfig::read() const {
  auto config = map_.find(0);
  if (!config) return fail(config);
  return config->value_or(kubecni_node_config{});
}

Result<> NodeConfig::set(const kubecni_node_config& config) { return map_.set(0, config); }

Result<unsigned> NodeConfig::cluster_network() const {
  auto config = read();
  return config ? Result<unsigned>(config->cluster_network) : fail(config);
}

Result<> NodeConfig::set_cluster_network(unsigned bridge_ifindex) {
  auto config = read();
  if (!config) return fail(config);
  config->cluster_network = bridge_ifindex;
  return set(*config);
}

Result<> NodeConfig::set_needs_judged_mark(bool needed) {
  auto config = read();
  if (!config) return fail(config);
  if (config->needs_judged_mark == needed) return {};
  config->needs_judged_mark = needed;
  return set(*config);
}

Result<> NodeConfig::set_has_pacers(bool has) {
  auto config = read();
  if (!config) return fail(config);
  if (config->has_pacers == has) return {};
  config->has_pacers = has;
  return set(*config);
}

}  // namespace kubecni
