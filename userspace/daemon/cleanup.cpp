#include "daemon/cleanup.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "control/bgp/bird_process.hpp"
#include "control/install/install_controller.hpp"
#include "dataplane/sysctls.hpp"
#include "dataplane/unload.hpp"
#include "net/address.hpp"
#include "net/bridge.hpp"
#include "net/link.hpp"
#include "pods/liveness.hpp"
#include "state/attachment.hpp"
#include "state/files.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace kubecni {

namespace fs = std::filesystem;

namespace {

/// Whether an IPAM plugin still holds the addresses of a pod that is gone. Nothing tells the plugin
/// any more.
Result<bool> is_left_to_ipam_plugin(NetlinkSocket& node, const std::string& network,
                                    const std::optional<Lease>& lease) {
  if (!lease || !lease->addresses.empty()) return false;
  return is_gone(node, network, *lease);
}

std::string describe(const PodPaths& paths, const std::string& network, const LeaseOwner& owner) {
  std::string text =
      "container " + owner.container_id + ", interface " + owner.ifname + ", network " + network;
  const auto record =
      AttachmentStore(paths.state_dir).find(network, owner.container_id, owner.ifname);
  if (!record || !*record) return text;
  if (!(*record)->pod.empty()) text = "pod " + (*record)->pod + ", " + text;
  return text + ", addresses " + (*record)->port.addresses_text() + ", namespace " +
         (*record)->netns;
}

/// Removes what dead pods of one network left, and reports the others: they live, or may live.
/// False: there may be more.
bool list_pods_of(NetlinkSocket& node, const PodPaths& paths, const std::string& network,
                  CleanupReport& report) {
  auto reclaimed = reclaim_gone(paths, network);
  if (!reclaimed)
    report.errors.push_back(reclaimed.error().what);
  else if (*reclaimed != 0)
    report.changes.push_back("removed what " + std::to_string(*reclaimed) + " dead pods left");
  auto owners = list_attachments(paths, network);
  if (!owners) report.errors.push_back(owners.error().what);
  if (!owners) return false;
  for (const LeaseOwner& owner : *owners) {
    const auto lease = LeaseStore(paths.state_dir, network).find_record(owner);
    const auto left = is_left_to_ipam_plugin(node, network, lease.value_or(std::nullopt));
    if (left && *left)
      report.kept.push_back("addresses that the IPAM plugin of network " + network +
                            " gave to container " + owner.container_id + ", which is gone");
    else
      report.pods.push_back(describe(paths, network, owner));
  }
  return true;
}

/// Whether the node certainly has no pods. Else the report has the pods, or why they cannot be
/// listed.
bool has_no_pods(NetlinkSocket& node, const PodPaths& paths, CleanupReport& report) {
  auto networks = list_networks(paths);
  if (!networks) report.errors.push_back(networks.error().what);
  if (!networks) return false;
  bool all_told = true;
  for (const auto& network : *networks)
    all_told = list_pods_of(node, paths, network, report) && all_told;
  return all_told && report.pods.empty();
}

void unload(NetlinkSocket& node, const fs::path& bpffs, CleanupReport& report) {
  auto links = list_links(node);
  if (!links) return report.errors.push_back(links.error().what);
  std::vector<Device> devices;
  for (const Link& link : *links) devices.push_back({link.ifindex, link.name});
  auto unloaded = unload_dataplane(bpffs, devices);
  if (!unloaded)
    report.errors.push_back(unloaded.error().what);
  else if (*unloaded)
    report.changes.emplace_back("programs detached from all devices, maps and pins removed");
}

/// kube-cni's bridge has its alias or, if an older version made it and no newer daemon ran since, a
/// MAC that is derived from one of its addresses. The reference plugin `bridge` uses the same name.
bool is_our_bridge(const Link& bridge, const std::vector<LinkAddress>& addresses) {
  return has_our_alias(bridge) || has_derived_mac(bridge, addresses);
}

/// The bridge called `name`, and those that pods of other networks had.
void remove_bridges(NetlinkSocket& node, const std::string& name, CleanupReport& report) {
  auto links = list_links(node);
  auto addresses = list_addresses(node);
  if (!links || !addresses)
    return report.errors.push_back(links ? addresses.error().what : links.error().what);
  for (const Link& bridge : *links) {
    const bool is_ours = is_our_bridge(bridge, *addresses);
    if (bridge.kind != "bridge" || (bridge.name != name && !has_our_alias(bridge))) continue;
    // Without the bridge, an uplink is again as the operator gave it.
    const auto port = std::ranges::find_if(*links, [&](const Link& link) {
      return link.master_ifindex == bridge.ifindex && link.name != uplink_in_alias(bridge);
    });
    if (!is_ours)
      report.kept.push_back("bridge " + bridge.name + ", which kube-cni did not make");
    else if (port != links->end())
      report.kept.push_back("bridge " + bridge.name + ", since " + port->name + " is a port of it");
    else
      report.apply(delete_link(node, bridge.ifindex), "bridge " + bridge.name + " removed");
  }
}

/// Removes our own files in `folder`, and the folder unless others use it, too.
void remove_folder(const fs::path& folder, std::span<const char* const> names,
                   CleanupReport& report) {
  const auto before = list_directory(folder);
  for (const char* name : names) {
    for (const fs::path& path : {folder / name, unfinished_name(folder / name)}) {
      std::error_code error;
      fs::remove_all(path, error);
      if (error) report.errors.push_back("remove " + path.string() + ": " + error.message());
    }
  }
  const auto left = list_directory(folder);
  if (left && !left->empty())
    return report.kept.push_back("folder " + folder.string() + ": it has " + left->front() +
                                 ", which is not of kube-cni");
  std::error_code error;
  const bool removed = fs::remove(folder, error);
  if (error == std::errc::device_or_resource_busy)
    return report.kept.push_back("folder " + folder.string() +
                                 ", which is empty: it is mounted into this container");
  if (error) report.errors.push_back("remove " + folder.string() + ": " + error.message());
  // A folder with only the lock that we just made was not there before.
  if (removed && before && *before != std::vector<std::string>{kDaemonLock})
    report.changes.push_back("folder " + folder.string() + " removed");
}

void remove_file(const fs::path& path, const std::string& what, CleanupReport& report) {
  if (!fs::exists(path)) return;
  report.apply(delete_file(path), what + " " + path.string() + " removed");
}

/// Without the list the runtime starts no more pods. If one started meanwhile, the list is put
/// back: the runtime needs it to delete the pod.
bool close_for_pods(NetlinkSocket& node, const DaemonOptions& options, CleanupReport& report) {
  if (options.cni.conf_dir.empty()) return true;
  const fs::path list = options.cni.conf_dir / options.cni.conf_name;
  const auto text = read_file(list);
  remove_file(list, "list", report);
  CleanupReport late{};
  if (has_no_pods(node, {options.state_dir, options.bpffs}, late)) return true;
  report.pods = std::move(late.pods);
  std::ranges::move(late.errors, std::back_inserter(report.errors));
  if (text) {
    auto put_back = ensure_conf_list(list, *text);
    report.apply(put_back ? Result<>() : fail(put_back), "list put back, since a pod has started");
  }
  return false;
}

void list_sysctls(CleanupReport& report) {
  std::string set;
  const auto look = [&](const Sysctl& sysctl) {
    const auto value = read_file(std::string("/proc/sys/") + sysctl.name);
    if (value && *value == std::string(sysctl.value) + "\n")
      append_word(set, std::string(sysctl.name) + "=" + sysctl.value);
  };
  std::ranges::for_each(kPathSysctls, look);
  std::ranges::for_each(kForwardingSysctls, look);
  std::error_code error;
  for (const auto& device : fs::directory_iterator("/proc/sys/net/ipv4/conf", error)) {
    const std::string name =
        "net/ipv4/conf/" + device.path().filename().string() + "/src_valid_mark";
    look({.name = name.c_str(), .value = "1"});
  }
  if (!set.empty())
    report.kept.push_back("settings of the node, which others may have made or need: " + set);
}

}  // namespace

CleanupReport clean_up_node(const DaemonOptions& options, const RoundReport& between_nodes) {
  CleanupReport report{.changes = {},
                       .errors = between_nodes.texts_of(ConditionKind::kFailed),
                       .pods = {},
                       .kept = {}};
  for (const Outcome& outcome : between_nodes.outcomes)
    std::ranges::copy(outcome.changes, std::back_inserter(report.changes));
  auto node = NetlinkSocket::open();
  if (!node) {
    report.errors.push_back(node.error().what);
    return report;
  }
  unload(*node, options.bpffs, report);
  list_sysctls(report);
  if (!has_no_pods(*node, {options.state_dir, options.bpffs}, report)) return report;
  if (!close_for_pods(*node, options, report)) return report;
  // Only if the daemon installed it. A package removes its own.
  if (!options.cni.plugin_binary.empty())
    remove_file(options.cni.bin_dir / kProgramName, "plugin", report);
  remove_bridges(*node, options.bridge, report);
  remove_folder(options.state_dir, kStateFiles, report);
  // By its files, an operator finds a BIRD that does not end.
  if (!BirdProcess(options.run_dir).has_files()) remove_folder(options.run_dir, kRunFiles, report);
  return report;
}

}  // namespace kubecni
