#include "base/log.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "dataplane/schema_change.hpp"
#include "delegate.hpp"
#include "ipam/lease_store.hpp"
#include "node_settings.hpp"
#include "pods/uplink.hpp"
#include "verbs.hpp"

#include <cerrno>
#include <chrono>

namespace kubecni {

namespace {

// A runtime that waits for STATUS delays the whole node.
constexpr std::chrono::milliseconds kPatience{100};

std::unexpected<CniError> not_available(const std::string& reason) {
  return cni_error(CniCode::kNotAvailable, "STATUS: " + reason);
}

/// Whether the leases can be read. A full subnet is no failure: DEL and GC free addresses, and a
/// runtime that calls its node NotReady would make the cluster evict the pods that it has.
CniResult<> check_pools(const NetConf& conf, const NodeSettings& node) {
  const HostLocalLeases host_local(conf.ipam.migrate_from, conf.name);
  auto uses = LeaseStore(conf.state_dir, conf.name, host_local).used(node.pool_sets);
  if (!uses) return not_available(uses.error().what);
  for (std::size_t i = 0; i < uses->size(); ++i) {
    const auto& [used, total] = (*uses)[i];
    if (used >= total)
      log::info("no address is free for another pod", {{"pool", describe(node.pool_sets[i])},
                                                       {"used", std::to_string(used)},
                                                       {"of", std::to_string(total)}});
  }
  return {};
}

CniResult<> status_of_delegate(const CniEnv& env, const NetConf& conf) {
  auto delegate = Delegate::find(env, conf);
  if (!delegate) return not_available(delegate.error().msg);
  auto status = delegate->status();
  if (status || status.error().code == CniCode::kNotAvailable ||
      status.error().code == CniCode::kPodsLimited)
    return status;
  return not_available(status.error().msg);
}

/// Whether ADD can give a pod eBPF, if the mode demands that. A pod that has lost its programs is
/// no failure: the kernel path carries its packets, and the daemon attaches them again.
CniResult<> check_ebpf(const NetConf& conf) {
  if (conf.dataplane != DataplaneMode::kEbpf) return {};
  auto opened = PodDataplane::open_loaded(conf.bpffs);
  if (!opened && opened.error().code == ENOENT) {
    // The daemon, if of another schema, would remove what is loaded here, and each STATUS would
    // load it again.
    const auto others = other_schemas(conf.bpffs);
    if (others && !others->empty()) return {};
    opened = PodDataplane::open(conf.bpffs, conf.run_dir,
                                {.max_flows = conf.max_flows, .patience = kPatience});
  }
  if (!opened && opened.error().code == ETIMEDOUT) return {};  // another process loads them
  if (!opened) return not_available(opened.error().what);
  return {};
}

CniResult<> check_uplink(const NetConf& conf) {
  if (conf.uplink.empty()) return {};
  auto netlink = NetlinkSocket::open();
  if (!netlink) return not_available(netlink.error().what);
  auto uplink = find_uplink(*netlink, conf.uplink, conf.bridge);
  return uplink ? CniResult<>() : not_available(uplink.error().what);
}

}  // namespace

CniResult<> cmd_status(const CniEnv& env, const NetConf& conf) {
  auto node = node_settings(conf);
  if (!node) return not_available(node.error().msg);
  auto addresses =
      conf.ipam.type.empty() ? check_pools(conf, *node) : status_of_delegate(env, conf);
  if (!addresses) return addresses;
  if (auto uplink = check_uplink(conf); !uplink) return uplink;
  return check_ebpf(conf);
}

}  // namespace kubecni
