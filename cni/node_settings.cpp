#include "node_settings.hpp"

#include "base/json.hpp"
#include "base/log.hpp"
#include "state/files.hpp"
#include "state/node_info.hpp"

#include <optional>

namespace kubecni {

namespace {
using RangeSets = std::vector<std::vector<Range>>;

/// What the runtime or the configuration says; empty when neither does.
CniResult<RangeSets> configured_ranges(const NetConf& conf) {
  const auto& of_runtime = member_like_go(conf.runtime_config, "ipRanges");
  if (of_runtime.is_array() && !of_runtime.empty()) {
    auto ranges = parse_range_sets("runtimeConfig.ipRanges", of_runtime);
    if (!ranges) return cni_error(CniCode::kInvalidConfig, ranges.error().what);
    return std::move(*ranges);
  }
  if (!of_runtime.is_null() && !of_runtime.is_array())
    return wrong_value("runtimeConfig.ipRanges", of_runtime, "a list of lists of ranges");
  if (conf.subnet) return RangeSets{{Range{.subnet = *conf.subnet}}};
  return conf.ipam.ranges;
}

/// What the daemon has learned: the first PodCIDR of each family. Pods get addresses in the order
/// of the Node object.
RangeSets learned_ranges(const std::optional<NodeInfo>& info) {
  RangeSets sets;
  if (!info) return sets;
  for (const IpNet& cidr : first_of_each_family(info->pod_cidrs))
    sets.push_back({Range{.subnet = cidr}});
  return sets;
}

}  // namespace

CniResult<NodeSettings> node_settings(const NetConf& conf) {
  const bool delegated = !conf.ipam.type.empty();
  auto ranges = configured_ranges(conf);
  if (!ranges) return std::unexpected(ranges.error());
  auto loaded = load_node_info(conf.state_dir);
  const bool needed = ranges->empty() && !delegated;
  if (!loaded && needed) return cni_error(loaded.error(), "node settings");
  if (!loaded) log::warn("node.json ignored, not needed", {{"err", loaded.error().what}});
  const auto info = loaded ? *loaded : std::nullopt;
  const unsigned learned_mtu = info && info->mtu != 0 ? info->mtu : kDefaultMtu;
  const unsigned mtu = conf.mtu.value_or(learned_mtu);
  if (delegated) return NodeSettings{{}, mtu};
  if (ranges->empty() && !conf.uplink.empty())
    return cni_error(
        CniCode::kInvalidConfig,
        "\"uplink\": which addresses of the network behind " + conf.uplink + " pods get is not set",
        "set \"ipam\": this node's range of them, and the router as \"gateway\"");
  if (ranges->empty()) ranges = learned_ranges(info);
  if (ranges->empty())
    return cni_error(CniCode::kTryAgainLater,
                     "the node's subnet is not known: \"subnet\" is not set and kube-cnid has not "
                     "learned a PodCIDR yet",
                     "look at kube-cnid's log, or set \"subnet\"; looked in " +
                         (conf.state_dir / kNodeFile).string());
  auto pool_sets = pool_sets_of(*ranges);
  if (!pool_sets) return cni_error(pool_sets.error(), "node settings", CniCode::kInvalidConfig);
  return NodeSettings{std::move(*pool_sets), mtu};
}

}  // namespace kubecni
