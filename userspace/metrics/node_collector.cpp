#include "metrics/node_collector.hpp"

#include "base/log.hpp"
#include "dataplane/counters.hpp"
#include "dataplane/map_fill.hpp"
#include "ipam/lease_store.hpp"
#include "net/link.hpp"
#include "net/nftables.hpp"
#include "net/qdisc.hpp"
#include "pods/endpoint.hpp"
#include "pods/removal.hpp"
#include "policy/denied_packets.hpp"
#include "state/attachment.hpp"
#include "state/call_stats.hpp"
#include "state/policy_mark.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace kubecni {

namespace {

using Paths = NodeCollector::Paths;

Result<Families> collect_exits(const Paths& paths) {
  auto counts = read_exit_counts(paths.bpffs);
  if (!counts) return fail(counts);
  auto packets =
      counter("kube_cni_exit_packets_total", "Packets that left an eBPF program, by the reason");
  auto bytes = counter("kube_cni_exit_bytes_total",
                       "Bytes of whole frames that left an eBPF program, by the reason");
  for (std::size_t i = 0; i < counts->size(); ++i) {
    const Labels reason{{"reason", kExitReasons[i].name}};
    add(packets, reason, std::uint64_t{(*counts)[i].packets});
    add(bytes, reason, std::uint64_t{(*counts)[i].bytes});
  }
  return Families{std::move(packets), std::move(bytes)};
}

Result<Families> collect_maps(const Paths& paths) {
  auto fills = read_map_fills(paths.bpffs);
  if (!fills) return fail(fills);
  auto entries = gauge("kube_cni_map_entries", "Entries in an eBPF map");
  auto most = gauge("kube_cni_map_max_entries", "Entries for which an eBPF map has room");
  for (const MapFill& fill : *fills) {
    add(entries, {{"map", fill.name}}, fill.entries);
    add(most, {{"map", fill.name}}, fill.max_entries);
  }
  return Families{std::move(entries), std::move(most)};
}

Result<Families> collect_endpoints(const Paths& paths) {
  auto listing = AttachmentStore(paths.state_dir).list();
  if (!listing) return fail(listing);
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  auto links = list_links(*netlink);
  if (!links) return fail(links);
  auto shaped = list_shaped_links(*netlink);
  if (!shaped) return fail(shaped);

  const auto table = EndpointTable::open(paths.bpffs);
  std::uint64_t on_ebpf = 0;
  for (const Attachment& attachment : listing->attachments) {
    const auto host = std::ranges::find(*links, attachment.port.host_ifname, &Link::name);
    const unsigned ifindex = host == links->end() ? 0 : host->ifindex;
    const bool is_paced = table && table->is_paced(ifindex).value_or(false);
    const bool is_kernels = shaped_of(attachment, ifindex, *shaped) == Shaped::kAll && !is_paced;
    if (attachment.ebpf && !is_kernels) ++on_ebpf;
  }
  auto endpoints =
      gauge("kube_cni_endpoints", "Interfaces of pods on this node, by the path of their packets");
  add(endpoints, {{"path", "ebpf"}}, on_ebpf);
  add(endpoints, {{"path", "kernel"}}, listing->attachments.size() - on_ebpf);
  auto damaged = gauge("kube_cni_damaged_records", "Records of pods that cannot be read");
  add(damaged, {}, std::uint64_t{listing->damaged.size()});
  return Families{std::move(endpoints), std::move(damaged)};
}

Result<Families> collect_leases(const Paths& paths) {
  auto networks = list_networks({paths.state_dir, paths.bpffs});
  if (!networks) return fail(networks);
  auto leases = gauge("kube_cni_ipam_leases", "Addresses of a pool that pods have");
  auto addresses = gauge("kube_cni_ipam_addresses", "Addresses of a pool that pods can have");
  for (const std::string& network : *networks) {
    auto uses = LeaseStore(paths.state_dir, network).pools_in_use();
    if (!uses) return fail(uses);
    for (const auto& [pool, use] : *uses) {
      const Labels labels{{"network", network},
                          {"pool", pool.first().str() + "-" + pool.last().str()}};
      add(leases, labels, use.used);
      add(addresses, labels, use.total);
    }
  }
  return Families{std::move(leases), std::move(addresses)};
}

/// Sums of what the chains have dropped, by direction and policies. Chains of different contents
/// may have the same policies. Prometheus gets no more series than kMostReasons: the rest of the
/// reasons is one.
Result<Families> collect_denied(const Paths&) {
  constexpr std::size_t kMostReasons = 100;
  auto listing =
      Nftables::list_json(std::string("inet ") + kPolicyTableName, Nftables::Elements::kNone);
  if (!listing) return fail(listing);
  auto table = LiveTable::parse(*listing);
  if (!table) return fail(table);
  // There from the beginning, so that their first packets show as an increase.
  std::map<std::pair<std::string, std::string>, std::uint64_t> sums{
      {{"any", "policy not known"}, 0}, {{"any", "to many"}, 0}};
  for (const DeniedPackets& denied : denied_packets(*table)) {
    const bool has_room = sums.size() < kMostReasons;
    const std::pair key{denied.direction, denied.reason};
    sums[has_room || sums.contains(key) ? key : std::pair{denied.direction, "others"}] +=
        denied.packets;
  }
  auto packets = counter("kube_cni_policy_denied_packets_total",
                         "Packets that network policies denied on this node, by the policies that "
                         "isolate the pod, or the reason");
  for (const auto& [key, count] : sums)
    add(packets, {{"direction", key.first}, {"reason", key.second}}, count);
  return Families{std::move(packets)};
}

prometheus::ClientMetric durations_of(const VerbStats& stats) {
  constexpr double kNanosecondsPerSecond = 1e9;
  prometheus::ClientMetric metric;
  auto& made = metric.histogram;
  for (std::size_t i = 0; i < stats.by_duration.size(); ++i) {
    made.sample_count += stats.by_duration[i];
    if (i < kDurationBounds.size())
      made.bucket.push_back(
          {made.sample_count, std::chrono::duration<double>(kDurationBounds[i]).count()});
  }
  made.sample_sum = static_cast<double>(stats.total_ns) / kNanosecondsPerSecond;
  return metric;
}

Result<Families> collect_calls(const Paths& paths) {
  auto stats = read_call_stats(paths.run_dir);
  if (!stats) return fail(stats);
  const CallStats calls = stats->value_or(CallStats{});
  auto durations = histogram("kube_cni_plugin_call_duration_seconds",
                             "Time from the plugin's start to its answer, by verb");
  auto errors = counter("kube_cni_plugin_errors_total",
                        "Calls of the plugin that failed, by verb and CNI error code");
  for (std::size_t verb = 0; verb < calls.size(); ++verb) {
    const std::string name(kCountedVerbs[verb]);
    durations.metric.push_back(durations_of(calls[verb]));
    durations.metric.back().label = {{"verb", name}};
    for (std::size_t i = 0; i < calls[verb].by_code.size(); ++i) {
      const auto code = i < kCountedCodes.size() ? std::to_string(kCountedCodes[i]) : "other";
      add(errors, {{"code", code}, {"verb", name}}, calls[verb].by_code[i]);
    }
  }
  return Families{std::move(durations), std::move(errors)};
}

}  // namespace

void NodeCollector::note(const std::string& collector, const std::string& error) {
  std::string& last = errors_[collector];
  if (error == last) return;
  if (error.empty())
    log::info("metrics read again", {{"collector", collector}});
  else
    log::warn("metrics not read", {{"collector", collector}, {"err", error}});
  last = error;
}

Families NodeCollector::collect() {
  constexpr std::pair<const char*, Result<Families> (*)(const Paths&)> kCollectors[] = {
      {"exits", collect_exits},   {"maps", collect_maps},   {"endpoints", collect_endpoints},
      {"leases", collect_leases}, {"calls", collect_calls}, {"denied", collect_denied},
  };
  Families all;
  auto success = gauge("kube_cni_collector_success",
                       "1 if a part of the metrics could be read, 0 if it is left out");
  for (const auto& [name, collect_part] : kCollectors) {
    auto part = collect_part(paths_);
    // Without eBPF, or before the first pod, there is nothing to read.
    const bool absent = !part && part.error().code == ENOENT;
    note(name, part || absent ? "" : part.error().what);
    add(success, {{"collector", name}}, part || absent ? 1.0 : 0.0);
    if (part) std::ranges::move(*part, std::back_inserter(all));
  }
  all.push_back(std::move(success));
  return all;
}

}  // namespace kubecni
