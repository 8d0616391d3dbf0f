#include "dataplane/attachment.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "ipam/lease_store.hpp"
#include "net/netns.hpp"
#include "verbs.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace kubecni {

using nlohmann::json;

namespace {

/// What the runtime remembers of ADD has to be about the same attachment.
void compare_prev_result(const json& prev_result, const PodPort& port,
                         std::vector<std::string>& found) {
  const auto has = [&](const char* list, const char* key, const std::string& value) {
    const json entries = prev_result.value(list, json::array());
    return std::ranges::any_of(entries, [&](const json& entry) {
      return entry.is_object() && entry.contains(key) && entry[key] == value;
    });
  };
  if (!has("interfaces", "name", port.pod_ifname))
    found.push_back("prevResult has no interface " + port.pod_ifname);
  if (!has("ips", "address", port.address.str()))
    found.push_back("prevResult has no address " + port.address.str());
}

Result<> compare_lease(const NetConf& conf, const CniEnv& env, const PodPort& port,
                       std::vector<std::string>& found) {
  auto lease = LeaseStore(conf.state_dir, conf.name).find({env.container_id, env.ifname});
  if (!lease) return fail(lease);
  if (!*lease || std::ranges::count((*lease)->addresses, port.address.addr) == 0)
    found.push_back("the lease of " + port.address.addr.str() + " is gone");
  return {};
}

Result<> compare_ebpf(const NetConf& conf, NetlinkSocket& netlink, const Attachment& attachment,
                      std::vector<std::string>& found) {
  if (!attachment.ebpf) {
    if (conf.dataplane == DataplaneMode::kEbpf)
      found.push_back("the pod has the kernel path only: " + attachment.fallback_reason);
    return {};
  }
  auto host = find_link(netlink, attachment.port.host_ifname);
  if (!host) return fail(host);
  if (!*host) return {};  // said already
  auto dataplane = EbpfDataplane::open_loaded(conf.bpffs);
  if (!dataplane) {
    found.push_back(dataplane.error().what);
    return {};
  }
  auto more = dataplane->differences({.host = {(*host)->ifindex, (*host)->name},
                                      .address = attachment.port.address.addr,
                                      .pod_mac = attachment.port.pod_mac,
                                      .gateway_mac = {}});
  if (!more) return fail(more);
  found.insert(found.end(), more->begin(), more->end());
  return {};
}

}  // namespace

CniResult<> cmd_check(const CniEnv& env, const NetConf& conf) {
  if (!conf.prev_result.is_object())
    return cni_error(CniCode::kInvalidConfig, "CHECK: \"prevResult\" is missing");
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

  auto found = differences(*netlink, netns->get(), (*attachment)->port);
  if (!found) return cni_error(found.error(), "CHECK");
  compare_prev_result(conf.prev_result, (*attachment)->port, *found);
  if (auto compared = compare_lease(conf, env, (*attachment)->port, *found); !compared)
    return cni_error(compared.error(), "CHECK");
  if (auto compared = compare_ebpf(conf, *netlink, **attachment, *found); !compared)
    return cni_error(compared.error(), "CHECK");
  if (found->empty()) return {};

  std::string text;
  for (const auto& phrase : *found) text += (text.empty() ? "" : "; ") + phrase;
  return cni_error(CniCode::kCheckDifference, "CHECK: " + text,
                   "delete the pod to have it set up anew");
}

}  // namespace kubecni
