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
  auto used = LeaseStore(conf.state_dir, conf.name).used(node->pool);
  if (!used) return not_available(used.error().what);
  if (*used >= node->pool.size())
    return not_available("no free address in " + node->pool.subnet().str() + ": " +
                         std::to_string(*used) + " of " + std::to_string(node->pool.size()) +
                         " are in use");
  if (conf.dataplane == DataplaneMode::kEbpf) {
    if (auto opened = EbpfDataplane::open(conf.bpffs, conf.run_dir); !opened)
      return not_available(opened.error().what);
  }
  return {};
}

}  // namespace kubecni
