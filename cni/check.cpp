#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "dataplane/kernel_path.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "dataplane/schema_change.hpp"
#include "delegate.hpp"
#include "ipam/lease_store.hpp"
#include "net/netns.hpp"
#include "net/qdisc.hpp"
#include "pods/bandwidth.hpp"
#include "pods/endpoint.hpp"
#include "pods/host_ports.hpp"
#include "result_shape.hpp"
#include "state/attachment.hpp"
#include "verbs.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace kubecni {

using nlohmann::json;

namespace {

/// Compares what the runtime remembers of ADD with the attachment.
void compare_prev_result(const json& prev_result, const PodPort& port,
                         std::vector<std::string>& found) {
  const auto has = [&](const char* list, const char* key, const std::string& value) {
    return std::ranges::any_of(prev_result[list],
                               [&](const json& entry) { return member(entry, key) == value; });
  };
  if (!has("interfaces", "name", port.pod_ifname))
    found.push_back("prevResult has no interface " + port.pod_ifname);
  for (const PodAddress& address : port.addresses) {
    if (!has("ips", "address", address.net.str()))
      found.push_back("prevResult has no address " + address.net.str());
  }
}

/// A later plugin of the list, like tuning, may have changed the interface on purpose. Then the
/// final result says so, and the interface has to match it.
PodPort as_later_plugins_left_it(PodPort port, const json& prev_result) {
  for (const json& interface : prev_result["interfaces"]) {
    if (interface["name"] != port.pod_ifname || text_of(member(interface, "sandbox")).empty())
      continue;
    port.pod_mac = MacAddr::parse(text_of(member(interface, "mac"))).value_or(port.pod_mac);
    if (const json& mtu = member(interface, "mtu"); mtu.is_number_unsigned() && mtu != 0)
      port.mtu = mtu.get<unsigned>();
  }
  return port;
}

Result<> compare_lease(const NetConf& conf, const CniEnv& env, const PodPort& port,
                       std::vector<std::string>& found) {
  if (!conf.ipam.type.empty()) return {};  // the IPAM plugin checks it
  auto lease = LeaseStore(conf.state_dir, conf.name).find({env.container_id, env.ifname});
  if (!lease) return fail(lease);
  if (!*lease || port.plain_addresses() != (*lease)->addresses)
    found.push_back("the lease of " + port.addresses_text() + " is gone");
  return {};
}

/// A runtime may CHECK right after ADD, when the daemon has not yet marked a pod that a later
/// plugin of the list has just limited. So the daemon gets some time: more than the longest pause
/// between its rounds on a busy node.
Result<std::vector<std::string>> settled_differences(const PodDataplane& dataplane,
                                                     NetlinkSocket& netlink,
                                                     const Attachment& attachment,
                                                     const Link& host) {
  constexpr std::chrono::milliseconds kMoment{6000}, kStep{20};
  const auto end = std::chrono::steady_clock::now() + kMoment;
  for (;;) {
    auto shaped = list_shaped_links(netlink);
    if (!shaped) return fail(shaped);
    const unsigned network = network_of(attachment.port, host.master_ifindex);
    const PodEndpoint pod = endpoint_of(attachment, host, network, {}, *shaped);
    auto found = dataplane.differences(pod);
    const bool may_settle = found && !found->empty() && pod.shaped != Shaped::kNothing;
    if (!may_settle || std::chrono::steady_clock::now() >= end) return found;
    std::this_thread::sleep_for(kStep);
  }
}

Result<> compare_ebpf(const NetConf& conf, NetlinkSocket& netlink, const Attachment& attachment,
                      Differences& found) {
  if (!attachment.ebpf) {
    if (conf.dataplane == DataplaneMode::kEbpf && !attachment.is_kernels())
      found.of_pod.push_back("the pod has the kernel path only: " + attachment.fallback_reason);
    return {};
  }
  auto host = find_link(netlink, attachment.port.host_ifname);
  if (!host) return fail(host);
  if (!*host) return {};  // reported before
  const unsigned network = network_of(attachment.port, (*host)->master_ifindex);
  if (network == 0) return {};  // likewise
  auto kept = is_kept_by_other_schema(conf.bpffs, {(*host)->ifindex, (*host)->name});
  if (!kept) return fail(kept);
  if (*kept) return {};
  auto dataplane = PodDataplane::open_loaded(conf.bpffs);
  // The node's loss, not the pod's, which has the kernel path meanwhile.
  if (!dataplane && dataplane.error().code == ENOENT) {
    found.of_node.push_back(dataplane.error().what);
    return {};
  }
  if (!dataplane) return fail(dataplane);
  auto more = settled_differences(*dataplane, netlink, attachment, **host);
  if (!more) return fail(more);
  // STATUS, or the ADD of another pod, loads what was missing without the entries of this pod.
  auto known = dataplane->endpoints.knows(endpoint_of(attachment, **host, network, {}, {}));
  if (!known) return fail(known);
  auto& list = *known ? found.of_pod : found.of_node;
  list.insert(list.end(), more->begin(), more->end());
  return {};
}

Result<> compare_host_ports(const Attachment& attachment, Differences& found) {
  auto losses = find_host_port_losses(attachment);
  if (!losses) return fail(losses);
  std::ranges::copy(losses->of_pod, std::back_inserter(found.of_pod));
  std::ranges::copy(losses->of_node, std::back_inserter(found.of_node));
  return {};
}

Result<> compare_bandwidth(NetlinkSocket& netlink, const Attachment& attachment,
                           Differences& found) {
  if (attachment.bandwidth.empty()) return {};
  auto host = find_link(netlink, attachment.port.host_ifname);
  if (!host) return fail(host);
  if (!*host) return {};  // reported before
  auto buckets = list_token_buckets(netlink);
  if (!buckets) return fail(buckets);
  auto losses = find_bandwidth_losses(netlink, *buckets, attachment, **host);
  if (!losses) return fail(losses);
  std::ranges::copy(*losses, std::back_inserter(found.of_pod));
  return {};
}

CniResult<> check_by_delegate(const CniEnv& env, const NetConf& conf) {
  if (conf.ipam.type.empty()) return {};
  auto delegate = Delegate::find(env, conf);
  return delegate ? delegate->check() : std::unexpected(delegate.error());
}

}  // namespace

CniResult<> cmd_check(const CniEnv& env, const NetConf& conf) {
  if (conf.prev_result.is_null())
    return cni_error(CniCode::kInvalidConfig, "CHECK: \"prevResult\" is missing");
  auto previous = previous_result(conf, "CHECK");
  if (!previous) return std::unexpected(previous.error());
  auto attachment = AttachmentStore(conf.state_dir).find(conf.name, env.container_id, env.ifname);
  if (!attachment) return cni_error(attachment.error(), "CHECK");
  if (!*attachment)
    return cni_error(CniCode::kUnknownContainer, "CHECK: container " + env.container_id +
                                                     " has no attachment " + env.ifname +
                                                     " to network " + conf.name);
  auto netns = open_netns(env.netns);
  if (!netns) return cni_error(netns.error(), "CHECK: CNI_NETNS", CniCode::kInvalidEnvironment);
  auto netlink = NetlinkSocket::open();
  if (!netlink) return cni_error(netlink.error(), "CHECK");

  const PodPort port = as_later_plugins_left_it((*attachment)->port, *previous);
  auto found = differences(*netlink, netns->get(), port);
  if (!found) return cni_error(found.error(), "CHECK");
  compare_prev_result(*previous, port, found->of_pod);
  if (auto compared = compare_lease(conf, env, port, found->of_pod); !compared)
    return cni_error(compared.error(), "CHECK");
  if (auto compared = compare_ebpf(conf, *netlink, **attachment, *found); !compared)
    return cni_error(compared.error(), "CHECK");
  if (auto compared = compare_host_ports(**attachment, *found); !compared)
    return cni_error(compared.error(), "CHECK");
  if (auto compared = compare_bandwidth(*netlink, **attachment, *found); !compared)
    return cni_error(compared.error(), "CHECK");
  // Nothing that another pod would not lack, too.
  if (!found->of_node.empty())
    log::warn("the node has lost what its pods need; kube-cnid brings it back: does it run?",
              {{"container", env.container_id}, {"lost", joined(found->of_node, "; ")}});
  if (found->of_pod.empty()) return check_by_delegate(env, conf);
  return cni_error(CniCode::kCheckDifference, "CHECK: " + joined(found->of_pod, "; "),
                   "delete the pod to have it set up anew");
}

}  // namespace kubecni
