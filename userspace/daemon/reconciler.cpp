#include "daemon/reconciler.hpp"

#include "base/log.hpp"
#include "dataplane/bpf_fs.hpp"
#include "dataplane/kernel_path.hpp"
#include "dataplane/node_info.hpp"
#include "ipam/pool.hpp"
#include "net/address.hpp"
#include "net/qdisc.hpp"
#include "net/sysctl.hpp"
#include "pods/endpoint.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

namespace kubecni {

namespace {

/// A setting without which flows that change between the paths may break.
struct Setting {
  const char* name;
  const char* value;
};
constexpr Setting kSettings[] = {
    // A TCP flow that moves to the kernel path in mid-stream must not be INVALID.
    {"net/netfilter/nf_conntrack_tcp_be_liberal", "1"},
    // kube-proxy's answers between pods of one bridge have to meet conntrack.
    {"net/bridge/bridge-nf-call-iptables", "1"},
};

/// Notes the outcome of one step: `what` was changed, or why it was not.
void apply(ReconcileReport& report, const Result<>& done, const std::string& what) {
  if (done)
    report.changes.push_back(what);
  else
    report.errors.push_back(done.error().what);
}

std::string describe(const kubecni_node& entry) {
  if (entry.kind == KUBECNI_NODE_LOCAL) return "local";
  return "via " + next_hop_of(entry).str() + " device " + std::to_string(entry.egress_ifindex);
}

bool equal_entries(const kubecni_node& a, const kubecni_node& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

}  // namespace

Result<Reconciler> Reconciler::open(const DaemonOptions& options) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  Reconciler reconciler(options, std::move(*netlink));
  if (options.dataplane == "bridge") return reconciler;
  reconciler.open_dataplane();
  if (!reconciler.dataplane_ && options.dataplane == "ebpf")
    return failure(ENOTSUP, "--dataplane=ebpf: " + reconciler.fallback_reason_);
  return reconciler;
}

void Reconciler::open_dataplane() {
  auto opened = EbpfDataplane::open(options_.bpffs, options_.run_dir);
  if (!opened) {
    fallback_reason_ = opened.error().what;
    return;
  }
  dataplane_ = std::move(*opened);
  fallback_reason_.clear();
  // What is pinned may be from another build. Whoever runs its programs gets
  // the new ones in sync_wires() and sync_pods().
  auto upgraded = dataplane_->upgrade_programs(options_.run_dir);
  upgrade_error_ = upgraded ? "" : "the pinned programs stay: " + upgraded.error().what;
}

/// Takes what is pinned now: pins may be removed while we run, and made anew by
/// the plugin, and then what was opened before leads nowhere.
void Reconciler::ensure_dataplane(ReconcileReport& report) {
  if (options_.dataplane == "bridge") return;
  const bool had_one = dataplane_.has_value();
  if (auto pinned = EbpfDataplane::open_loaded(options_.bpffs); had_one && pinned) {
    dataplane_ = std::move(*pinned);
  } else {
    dataplane_.reset();
    open_dataplane();
    if (dataplane_ && had_one) report.changes.emplace_back("loaded the programs and maps again");
  }
  if (!upgrade_error_.empty()) report.errors.push_back(upgrade_error_);
}

/// `--dataplane bridge` on a node that had eBPF before: no map may go on to
/// send packets where nobody corrects it. Pods made with eBPF keep the way to
/// each other on this node.
void Reconciler::withdraw(const std::vector<Link>& links, ReconcileReport& report) {
  auto pinned = EbpfDataplane::open_loaded(options_.bpffs);
  if (!pinned) return;
  dataplane_ = std::move(*pinned);
  auto desired = std::exchange(report.desired, {});
  sync_map(report);
  sync_wires(links, report);
  report.desired = std::move(desired);
  dataplane_.reset();
}

void Reconciler::ensure_settings(ReconcileReport& report) {
  for (const Setting& setting : kSettings) {
    auto written = ensure_sysctl(setting.name, setting.value);
    if (written && *written)
      report.changes.push_back(std::string("set ") + setting.name + "=" + setting.value);
    // Without the module nothing in this namespace filters or tracks.
    if (!written && written.error().code != ENOENT) report.errors.push_back(written.error().what);
  }
}

void Reconciler::ensure_bridge_of(const ClusterView& view, ReconcileReport& report) {
  if (!view.self || view.self->pod_cidrs.empty()) return;
  const auto& cidrs = view.self->pod_cidrs;
  const auto v4 = std::ranges::find_if(cidrs, [](const IpNet& cidr) { return cidr.addr.is_v4(); });
  if (v4 == cidrs.end())
    return report.errors.push_back("PodCIDR " + cidrs.front().str() +
                                   " is not IPv4; only IPv4 is supported");
  auto pool = Pool::of(*v4);
  if (!pool) return report.errors.push_back(pool.error().what);
  auto before = find_link(netlink_, options_.bridge);
  auto bridge =
      ensure_node_bridge(netlink_, options_.bridge, {pool->gateway_net()}, report.desired.mtu);
  if (!bridge)
    report.errors.push_back(bridge.error().what);
  else if (before && !*before)
    report.changes.push_back("bridge " + options_.bridge + " made");
  const NodeInfo info{view.self->name, view.self->pod_cidrs, report.desired.mtu};
  auto saved = load_node_info(options_.state_dir);
  if (!saved || !*saved || **saved != info)
    apply(report, save_node_info(options_.state_dir, info), "what the plugin is told of this node");
}

void Reconciler::sync_wires(const std::vector<Link>& links, ReconcileReport& report) {
  for (const auto& [name, nic] : report.desired.wires) {
    auto attached = dataplane_->is_wire_attached(nic);
    if (attached && *attached) continue;
    auto done = dataplane_->attach_wire(nic);
    apply(report, done ? Result<>() : fail(done), "attached from_wire and to_wire to " + name);
  }
  for (const Link& link : links) {
    const Device nic{link.ifindex, link.name};
    if (report.desired.wires.contains(link.name)) continue;
    auto held = dataplane_->is_wire_held(nic);
    if (!held || !*held) continue;
    apply(report, dataplane_->detach_wire(nic), "detached from_wire and to_wire from " + link.name);
  }
}

/// Brings back what pods have lost: their place on the bridge, and for those on
/// eBPF programs and map entries, these also when they are out of date. Which
/// pods there are is what the plugin's records say.
void Reconciler::sync_pods(const std::vector<Link>& links, ReconcileReport& report) {
  const AttachmentStore attachments(options_.state_dir);
  auto listing = attachments.list();
  if (!listing) return report.errors.push_back(listing.error().what);
  report.errors.insert(report.errors.end(), listing->damaged.begin(), listing->damaged.end());
  auto shaped = list_shaped_links(netlink_);
  if (!shaped) return report.errors.push_back(shaped.error().what);
  for (const Attachment& attachment : listing->attachments) {
    const auto host = std::ranges::find(links, attachment.port.host_ifname, &Link::name);
    const auto bridge = std::ranges::find(links, attachment.port.bridge, &Link::name);
    if (host == links.end() || bridge == links.end()) continue;
    const std::string addresses = attachment.port.addresses_text();
    if (host->master_ifindex != bridge->ifindex)
      apply(report, restore_pod_port(netlink_, *host, *bridge, attachment.port),
            "pod " + addresses + " is on the bridge again");
    if (!attachment.ebpf || !dataplane_) continue;
    const PodEndpoint pod = endpoint_of(attachment, *host, bridge->mac, *shaped);
    auto differences = dataplane_->differences(pod);
    if (differences && differences->empty()) continue;
    auto restored = restore_pod(attachments, attachment, pod);
    if (!restored || *restored)
      apply(
          report, restored ? Result<>() : fail(restored),
          "pod " + addresses +
              (pod.shaped ? " is not redirected: its bandwidth is limited" : " is on eBPF again"));
  }
}

/// False: DEL has come in between.
Result<bool> Reconciler::restore_pod(const AttachmentStore& attachments,
                                     const Attachment& attachment, const PodEndpoint& pod) {
  auto lock = attachments.lock();
  if (!lock) return fail(lock);
  auto current =
      attachments.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (!*current || !(*current)->ebpf) return false;
  if (auto attached = dataplane_->attach_pod(pod.host, attachment.hooks); !attached)
    return fail(attached);
  if (auto added = dataplane_->add_endpoint(pod); !added) return fail(added);
  return true;
}

void Reconciler::sync_map(ReconcileReport& report) {
  auto actual = dataplane_->node_cidrs();
  if (!actual) return report.errors.push_back(actual.error().what);
  const auto changes = plan_changes(report.desired.cidrs, *actual, equal_entries);
  for (const auto& [cidr, entry] : changes.set)
    apply(report, dataplane_->set_node_cidr(cidr, entry),
          "map " + cidr.str() + " " + describe(entry));
  for (const auto& [cidr, entry] : changes.erase)
    apply(report, dataplane_->erase_node_cidr(cidr), "map " + cidr.str() + " removed");
}

void Reconciler::sync_routes(ReconcileReport& report) {
  auto routes = list_routes(netlink_);
  if (!routes) return report.errors.push_back(routes.error().what);
  std::map<IpNet, Route> ours;
  std::set<IpNet> taken;  // by a route of somebody else, at the metric of ours
  for (const Route& route : *routes) {
    if (route.protocol == kRouteProtocol)
      ours.emplace(route.dst, route);
    else if (route.metric == 0 && route.table == Route().table)
      taken.insert(route.dst);
  }
  const auto changes = plan_changes(report.desired.routes, ours, std::equal_to<>());
  for (const auto& [dst, route] : changes.set) {
    if (taken.contains(dst) && !ours.contains(dst))
      report.errors.push_back("route to " + dst.str() +
                              " exists already and is not ours; remove it, or that node's pods "
                              "are reached by it");
    else
      apply(report, ensure_route(netlink_, route),
            "route " + dst.str() + " via " + route.gateway->str());
  }
  for (const auto& [dst, route] : changes.erase)
    apply(report, delete_route(netlink_, route), "route " + dst.str() + " removed");
}

ReconcileReport Reconciler::run(const ClusterView& view) {
  ReconcileReport report;
  auto links = list_links(netlink_);
  auto addresses = list_addresses(netlink_);
  if (!links || !addresses) {
    report.errors.push_back(links ? addresses.error().what : links.error().what);
    return report;
  }
  report.desired = plan_desired_state(view, find_uplinks(*links, *addresses, options_.bridge));
  ensure_dataplane(report);
  ensure_settings(report);
  ensure_bridge_of(view, report);
  sync_routes(report);
  if (dataplane_) {
    sync_map(report);
    sync_wires(*links, report);
  } else if (options_.dataplane == "bridge") {
    withdraw(*links, report);
  }
  // The bridge may be another one than before.
  if (auto now = list_links(netlink_)) sync_pods(*now, report);
  report.dataplane = dataplane_ ? "ebpf" : "bridge";
  report.fallback_reason = fallback_reason_;
  return report;
}

}  // namespace kubecni
