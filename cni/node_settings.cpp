#include "node_settings.hpp"

#include "dataplane/node_info.hpp"

#include <algorithm>

namespace kubecni {

namespace {
constexpr unsigned kDefaultMtu = 1500;
}

CniResult<NodeSettings> node_settings(const NetConf& conf) {
  auto info = load_node_info(conf.state_dir);
  if (!info) return cni_error(info.error(), "node settings");

  const unsigned learned_mtu = *info && (*info)->mtu != 0 ? (*info)->mtu : kDefaultMtu;
  const unsigned mtu = conf.mtu.value_or(learned_mtu);
  if (!conf.ipam_type.empty()) return NodeSettings{std::nullopt, mtu};
  std::optional<IpNet> subnet = conf.subnet;
  if (!subnet && *info) {
    const auto& cidrs = (*info)->pod_cidrs;
    const auto first_v4 =
        std::ranges::find_if(cidrs, [](const IpNet& cidr) { return cidr.addr.is_v4(); });
    if (first_v4 != cidrs.end()) subnet = *first_v4;
  }
  if (!subnet)
    return cni_error(CniCode::kTryAgainLater,
                     "the node's subnet is not known: \"subnet\" is not set and kube-cnid has not "
                     "learned a PodCIDR yet",
                     "look at kube-cnid's log, or set \"subnet\"; looked in " +
                         (conf.state_dir / "node.json").string());
  auto pool = Pool::of(*subnet);
  if (!pool) return cni_error(pool.error(), "node settings", CniCode::kInvalidConfig);
  return NodeSettings{*pool, mtu};
}

}  // namespace kubecni
