#include "base/log.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "dataplane/schema_change.hpp"
#include "delegate.hpp"
#include "ipam/lease_store.hpp"
#include "net/qdisc.hpp"
#include "node_settings.hpp"
#include "pods/endpoint.hpp"
#include "verbs.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace kubecni {

namespace {

// A runtime that waits for STATUS delays the whole node.
constexpr std::chrono::milliseconds kPatience{100};

std::unexpected<CniError> not_available(const std::string& reason,
                                        CniCode code = CniCode::kNotAvailable) {
  return cni_error(code, "STATUS: " + reason);
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

/// The first pod that has lost its eBPF path, and the reason; empty if none has.
Result<std::string> find_limited_pod(const NetConf& conf, const PodDataplane& dataplane) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  auto links = list_links(*netlink);
  if (!links) return fail(links);
  auto shaped = list_shaped_links(*netlink);
  if (!shaped) return fail(shaped);
  const AttachmentStore attachments(conf.state_dir);
  auto listing = attachments.list();
  if (!listing) return fail(listing);
  for (const Attachment& attachment : listing->attachments) {
    const auto host = std::ranges::find(*links, attachment.port.host_ifname, &Link::name);
    if (!attachment.ebpf || attachment.network != conf.name || host == links->end()) continue;
    PodEndpoint pod = endpoint_of(attachment, *host, host->master_ifindex, {}, *shaped);
    auto found = dataplane.differences(pod);
    if (found && !found->empty()) {
      // The daemon corrects whether the pod is marked as limited.
      pod.shaped = !pod.shaped;
      found = dataplane.differences(pod);
    }
    if (!found) return fail(found);
    if (found->empty()) continue;
    auto kept = is_kept_by_other_schema(conf.bpffs, pod.host);
    if (!kept) return fail(kept);
    if (*kept) continue;
    auto still =
        attachments.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
    if (still && *still)  // otherwise a DEL has removed it meanwhile
      return "pod " + attachment.port.addresses_text() + " is limited: " + found->front();
  }
  return "";
}

/// Only if the mode demands eBPF. Otherwise the kernel path carries everything, and pods only
/// notice the speed.
CniResult<> check_ebpf(const NetConf& conf) {
  if (conf.dataplane != DataplaneMode::kEbpf) return {};
  auto opened = PodDataplane::open_loaded(conf.bpffs);
  if (!opened && opened.error().code == ENOENT) {
    // The daemon, if of another schema, would remove what is loaded here, and each STATUS would
    // load it again.
    const auto others = other_schemas(conf.bpffs);
    if (others && !others->empty()) return {};
    opened = PodDataplane::open(conf.bpffs, conf.run_dir, kPatience);
  }
  if (!opened && opened.error().code == ETIMEDOUT) return {};  // another process loads them
  if (!opened) return not_available(opened.error().what);
  auto limited = find_limited_pod(conf, *opened);
  if (!limited) return not_available(limited.error().what);
  if (limited->empty()) return {};
  return not_available(*limited, CniCode::kPodsLimited);
}

}  // namespace

CniResult<> cmd_status(const CniEnv& env, const NetConf& conf) {
  auto node = node_settings(conf);
  if (!node) return not_available(node.error().msg);
  auto addresses =
      conf.ipam.type.empty() ? check_pools(conf, *node) : status_of_delegate(env, conf);
  return addresses ? check_ebpf(conf) : addresses;
}

}  // namespace kubecni
