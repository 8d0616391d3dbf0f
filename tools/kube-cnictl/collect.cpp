#include "collect.hpp"

#include "base/file_lock.hpp"
#include "dataplane/counters.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "dataplane/host_state.hpp"
#include "dataplane/pins.hpp"
#include "dataplane/schema_change.hpp"
#include "net/qdisc.hpp"
#include "pods/bandwidth.hpp"
#include "pods/endpoint.hpp"
#include "pods/policy_entry.hpp"
#include "state/attachment.hpp"
#include "state/daemon_status.hpp"
#include "state/files.hpp"
#include "state/policy_mark.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <tuple>

namespace kubecni {

using nlohmann::json;

namespace {

/// Each program, and the number of devices to which any version of it is attached.
Result<json> programs_json(const NodePaths& paths) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  auto links = list_links(*netlink);
  if (!links) return fail(links);
  const PinPaths pins(paths.bpffs);
  json list = json::array();
  for (const Program& program : kPrograms) {
    int devices = 0;
    for (const Link& link : *links) {
      auto held = is_held(pins.links, program, {link.ifindex, link.name});
      if (!held) return fail(held);
      devices += *held ? 1 : 0;
    }
    list.push_back({{"name", program.name},
                    {"hook", name_of(program.hook)},
                    {"of", name_of(program.kind)},
                    {"maps", program.maps},
                    {"devices", devices}});
  }
  return list;
}

/// If there is a daemon, it knows best why there is no eBPF.
json dataplane_json(const NodePaths& paths, const json& daemon) {
  json others = json::array();
  if (const auto found = other_schemas(paths.bpffs))
    for (const auto& folder : *found) others.push_back(folder.string());
  auto opened = EbpfDataplane::open_loaded(paths.bpffs);
  if (opened) return {{"loaded", true}, {"schema", KUBECNI_SCHEMA}, {"otherSchemas", others}};
  std::string reason = opened.error().what;
  if (daemon.is_object() && daemon.value("dataplane", "") == "bridge") {
    reason = daemon.value("fallbackReason", "");
    if (reason.empty()) reason = "as kube-cnid is told";
  }
  return {{"loaded", false}, {"reason", reason}, {"otherSchemas", others}};
}

json texts_of(const std::vector<IpAddr>& addresses) {
  json list = json::array();
  for (const IpAddr& address : addresses) list.push_back(address.str());
  return list;
}

/// Bits per second; null: as fast as it goes.
json to_json(const Bandwidth& bandwidth) {
  const auto rate_of = [](const std::optional<RateLimit>& limit) {
    return limit ? json(limit->rate) : json();
  };
  return {{"ingressRate", rate_of(bandwidth.ingress)}, {"egressRate", rate_of(bandwidth.egress)}};
}

/// Of a limit by another plugin, only its queueing discipline is known.
std::string limit_text(const Attachment& attachment) {
  const std::string text = "its bandwidth is limited";
  return attachment.bandwidth.empty() ? text : text + ": " + attachment.bandwidth.str();
}

}  // namespace

Result<json> daemon_status(const NodePaths& paths) {
  auto status = read_daemon_status(paths.run_dir);
  if (!status) return fail(status);
  if (!*status) return json();
  json shown = to_json(**status);
  // The file outlives the process; its lock does not.
  const auto lock = FileLock::acquire(paths.run_dir / kDaemonLock, std::chrono::seconds(0));
  shown["running"] = !lock && lock.error().code == ETIMEDOUT;
  return shown;
}

Result<json> collect_status(const NodePaths& paths) {
  auto daemon = daemon_status(paths);
  if (!daemon) return fail(daemon);
  auto endpoints = collect_endpoints(paths);
  if (!endpoints) return endpoints;
  auto programs = programs_json(paths);
  int ebpf = 0;
  json on_kernel_path = json::array();
  for (const json& endpoint : (*endpoints)["endpoints"]) {
    if (endpoint["path"] == "ebpf")
      ++ebpf;
    else
      on_kernel_path.push_back({{"pod", endpoint["pod"]},
                                {"addresses", endpoint["addresses"]},
                                {"reason", endpoint["reason"]}});
  }
  return json{{"dataplane", dataplane_json(paths, *daemon)},
              {"programs", programs ? *programs : json::array()},
              {"programsError", programs ? "" : programs.error().what},
              {"daemon", *daemon},
              {"podsOnEbpf", ebpf},
              {"podsOnKernelPath", on_kernel_path},
              {"damaged", (*endpoints)["damaged"]}};
}

Result<json> collect_endpoints(const NodePaths& paths) {
  auto listing = AttachmentStore(paths.state_dir).list();
  if (!listing) return fail(listing);
  auto dataplane = PodDataplane::open_loaded(paths.bpffs);
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);

  auto shaped = list_shaped_links(*netlink);
  if (!shaped) return fail(shaped);
  auto buckets = list_token_buckets(*netlink);
  if (!buckets) return fail(buckets);
  auto state = read_host_state(*netlink);
  if (!state) return fail(state);

  // By address, as numbers.
  std::ranges::sort(listing->attachments, {}, [](const Attachment& one) {
    return std::tuple(one.network, one.port.plain_addresses(), one.container_id,
                      one.port.pod_ifname);
  });
  json endpoints = json::array();
  for (const Attachment& attachment : listing->attachments) {
    const PodPort& port = attachment.port;
    auto [problems, of_node] = host_differences(*state, port);
    problems.insert(problems.end(), of_node.begin(), of_node.end());
    const Link* const host = state->find(port.host_ifname);
    const Shaped shaped_how = shaped_of(attachment, host ? host->ifindex : 0, *shaped);
    auto is_paced = host && dataplane ? dataplane->endpoints.is_paced(host->ifindex) : false;
    if (!is_paced) return fail(is_paced);
    const bool limited = shaped_how == Shaped::kAll && !*is_paced;
    if (host && attachment.ebpf && dataplane) {
      const unsigned network = network_of(port, host->master_ifindex);
      auto found = dataplane->differences(endpoint_of(attachment, *host, network, {}, *shaped));
      if (!found) return fail(found);
      problems.insert(problems.end(), found->begin(), found->end());
    }
    if (host && !attachment.bandwidth.empty()) {
      auto lost = find_bandwidth_losses(*netlink, *buckets, attachment, *host);
      if (!lost) return fail(lost);
      problems.insert(problems.end(), lost->begin(), lost->end());
    }
    if (attachment.ebpf && !dataplane) problems.push_back(dataplane.error().what);
    if (has_policies(paths.state_dir)) {
      auto known = are_policies_known(port.all_addresses());
      if (!known) return fail(known);
      if (!*known)
        problems.emplace_back("its network policies are not in force; see kube-cnictl policy");
    }
    const bool has_fallen_back = !limited && !attachment.fallback_reason.empty();
    const std::string reason = has_fallen_back                  ? attachment.fallback_reason
                               : shaped_how == Shaped::kNothing ? ""
                                                                : limit_text(attachment);
    endpoints.push_back({{"pod", attachment.pod},
                         {"container", attachment.container_id},
                         {"network", attachment.network},
                         {"mode", port.is_routed() ? "ptp" : "bridge"},
                         {"bridge", port.bridge},
                         {"interface", port.pod_ifname},
                         {"addresses", texts_of(port.plain_addresses())},
                         {"hostInterface", port.host_ifname},
                         {"mac", port.pod_mac.str()},
                         {"path", attachment.ebpf && !limited ? "ebpf" : "kernel"},
                         {"reason", reason},
                         {"bandwidth", to_json(attachment.bandwidth)},
                         {"problems", problems}});
  }
  return json{{"endpoints", endpoints}, {"damaged", listing->damaged}};
}

Result<json> collect_counters(const NodePaths& paths) {
  auto counts = read_exit_counts(paths.bpffs);
  if (!counts) return fail(counts);
  json list = json::array();
  for (std::size_t i = 0; i < counts->size(); ++i)
    list.push_back({{"reason", kExitReasons[i].name},
                    {"text", kExitReasons[i].text},
                    {"packets", (*counts)[i].packets},
                    {"bytes", (*counts)[i].bytes}});
  return list;
}

}  // namespace kubecni
