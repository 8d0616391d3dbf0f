#include "daemon/reconciler.hpp"

#include "base/log.hpp"
#include "dataplane/bpf_fs.hpp"
#include "dataplane/kernel_path.hpp"
#include "dataplane/node_info.hpp"
#include "ipam/pool.hpp"
#include "net/address.hpp"
#include "net/sysctl.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

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

/// Notes an error of one step, so that the others still run.
void note(ReconcileReport& report, const Result<>& done) {
  if (!done) report.errors.push_back(done.error().what);
}

std::string describe(const kubecni_node4& entry) {
  if (entry.kind == KUBECNI_NODE_LOCAL) return "local";
  return "via " + IpAddr::v4(entry.next_hop).str() + " device " +
         std::to_string(entry.egress_ifindex);
}

bool equal_entries(const kubecni_node4& a, const kubecni_node4& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

}  // namespace

Result<Reconciler> Reconciler::open(const DaemonOptions& options) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  Reconciler reconciler(options, std::move(*netlink));
  if (options.dataplane == "bridge") return reconciler;
  auto opened = reconciler.open_dataplane();
  if (!opened && options.dataplane == "ebpf") return fail(opened, "--dataplane=ebpf");
  return reconciler;
}

Result<> Reconciler::open_dataplane() {
  auto opened = EbpfDataplane::open(options_.bpffs, options_.run_dir);
  if (!opened) {
    fallback_reason_ = opened.error().what;
    return fail(opened);
  }
  dataplane_ = std::move(*opened);
  fallback_reason_.clear();
  // What is pinned may be from another build. Whoever runs its programs gets
  // the new ones in sync_wires() and sync_pods().
  auto upgraded = dataplane_->upgrade_programs(options_.run_dir);
  if (!upgraded) return fail(upgraded, "upgrade of the pinned programs");
  return {};
}

/// Pins may be lost while we run; then what is opened here leads nowhere.
void Reconciler::ensure_dataplane(ReconcileReport& report) {
  if (options_.dataplane == "bridge") return;
  if (dataplane_ && EbpfDataplane::open_loaded(options_.bpffs)) return;
  const bool lost = dataplane_.has_value();
  dataplane_.reset();
  note(report, open_dataplane());
  if (dataplane_ && lost) report.changes.emplace_back("loaded the programs and maps again");
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
  auto pool = Pool::of(view.self->pod_cidrs.front());
  if (!pool) {
    report.errors.push_back(pool.error().what);
    return;
  }
  auto bridge =
      ensure_node_bridge(netlink_, options_.bridge, pool->gateway_net(), report.desired.mtu);
  if (!bridge) report.errors.push_back(bridge.error().what);
  const NodeInfo info{view.self->name, view.self->pod_cidrs, report.desired.mtu};
  auto saved = load_node_info(options_.state_dir);
  if (!saved || !*saved || **saved != info) note(report, save_node_info(options_.state_dir, info));
}

void Reconciler::sync_wires(const std::vector<Link>& links, ReconcileReport& report) {
  for (const auto& [name, nic] : report.desired.wires) {
    auto attached = dataplane_->is_wire_attached(nic);
    if (attached && *attached) continue;
    auto done = dataplane_->attach_wire(nic);
    if (done)
      report.changes.push_back("attached from_wire and to_wire to " + name);
    else
      report.errors.push_back(done.error().what);
  }
  for (const Link& link : links) {
    const Device nic{link.ifindex, link.name};
    if (report.desired.wires.contains(link.name)) continue;
    auto attached = dataplane_->is_wire_attached(nic);
    if (!attached || !*attached) continue;
    note(report, dataplane_->detach_wire(nic));
    report.changes.push_back("detached from_wire and to_wire from " + link.name);
  }
}

/// Brings the programs and map entries of pods back, or up to date. Which pods
/// are to have them is what the plugin's records say.
void Reconciler::sync_pods(const std::vector<Link>& links, ReconcileReport& report) {
  const AttachmentStore attachments(options_.state_dir);
  auto listing = attachments.list();
  if (!listing) return report.errors.push_back(listing.error().what);
  report.errors.insert(report.errors.end(), listing->damaged.begin(), listing->damaged.end());
  for (const Attachment& attachment : listing->attachments) {
    const auto host = std::ranges::find(links, attachment.port.host_ifname, &Link::name);
    const auto bridge = std::ranges::find(links, attachment.port.bridge, &Link::name);
    if (!attachment.ebpf || host == links.end() || bridge == links.end()) continue;
    const PodEndpoint pod{.host = {host->ifindex, host->name},
                          .address = attachment.port.address.addr,
                          .pod_mac = attachment.port.pod_mac,
                          .gateway_mac = bridge->mac};
    auto differences = dataplane_->differences(pod);
    if (differences && differences->empty()) continue;
    auto restored = restore_pod(attachments, attachment, pod);
    if (!restored)
      report.errors.push_back(restored.error().what);
    else if (*restored)
      report.changes.push_back("pod " + pod.address.str() + " is on eBPF again");
  }
}

/// False: DEL has come in between.
Result<bool> Reconciler::restore_pod(const AttachmentStore& attachments,
                                     const Attachment& attachment, const PodEndpoint& pod) {
  auto lock = lock_pods(options_.run_dir);
  if (!lock) return fail(lock);
  auto current =
      attachments.find(attachment.network, attachment.container_id, attachment.port.pod_ifname);
  if (!current) return fail(current);
  if (!*current || !(*current)->ebpf) return false;
  if (auto attached = dataplane_->attach_pod(pod.host); !attached) return fail(attached);
  if (auto added = dataplane_->add_endpoint(pod); !added) return fail(added);
  return true;
}

void Reconciler::sync_map(ReconcileReport& report) {
  auto entries = dataplane_->node_cidrs().entries();
  if (!entries) return report.errors.push_back(entries.error().what);
  std::map<IpNet, kubecni_node4> actual;
  for (const auto& [key, value] : *entries) actual.emplace(to_ip_net(key), value);
  const auto changes = plan_changes(report.desired.cidrs, actual, equal_entries);
  for (const auto& [cidr, entry] : changes.set) {
    note(report, dataplane_->node_cidrs().set(to_cidr4_key(cidr), entry));
    report.changes.push_back("map " + cidr.str() + " " + describe(entry));
  }
  for (const auto& [cidr, entry] : changes.erase) {
    note(report, dataplane_->node_cidrs().erase(to_cidr4_key(cidr)));
    report.changes.push_back("map " + cidr.str() + " removed");
  }
}

void Reconciler::sync_routes(ReconcileReport& report) {
  auto routes = list_routes(netlink_);
  if (!routes) return report.errors.push_back(routes.error().what);
  std::map<IpNet, Route> actual;
  for (const Route& route : *routes) {
    if (route.protocol == kRouteProtocol) {
      actual.emplace(route.dst, route);
    } else if (report.desired.routes.erase(route.dst) != 0) {
      report.errors.push_back("route to " + route.dst.str() +
                              " exists already and is not ours; remove it, or that node's pods are "
                              "reached by it");
    }
  }
  const auto changes = plan_changes(report.desired.routes, actual, std::equal_to<>());
  for (const auto& [dst, route] : changes.set) {
    note(report, ensure_route(netlink_, route));
    report.changes.push_back("route " + dst.str() + " via " + route.gateway->str());
  }
  for (const auto& [dst, route] : changes.erase) {
    note(report, delete_route(netlink_, route));
    report.changes.push_back("route " + dst.str() + " removed");
  }
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
    sync_pods(*links, report);
  }
  report.dataplane = dataplane_ ? "ebpf" : "bridge";
  report.fallback_reason = fallback_reason_;
  return report;
}

}  // namespace kubecni
