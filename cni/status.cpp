#include "dataplane/ebpf_dataplane.hpp"
#include "ipam/lease_store.hpp"
#include "node_settings.hpp"
#include "verbs.hpp"

namespace kubecni {

CniResult<> cmd_status(const NetConf& conf) {
  const auto not_available = [](const std::string& reason) {
    return cni_error(CniCode::kNotAvailable, "STATUS: " + reason);
  };
  auto node = node_settings(conf);
  if (!node) return not_available(node.error().msg);
  const HostLocalLeases host_local(conf.ipam.migrate_from, conf.name);
  auto uses = LeaseStore(conf.state_dir, conf.name, host_local).used(node->pool_sets);
  if (!uses) return not_available(uses.error().what);
  for (std::size_t i = 0; i < uses->size(); ++i) {
    const auto& [used, total] = (*uses)[i];
    if (used >= total)
      return not_available("no free address in " + describe(node->pool_sets[i]) + ": " +
                           std::to_string(used) + " of " + std::to_string(total) + " are in use");
  }
  if (conf.dataplane == DataplaneMode::kEbpf) {
    if (auto opened = EbpfDataplane::open(conf.bpffs, conf.run_dir); !opened)
      return not_available(opened.error().what);
  }
  return {};
}

}  // namespace kubecni
