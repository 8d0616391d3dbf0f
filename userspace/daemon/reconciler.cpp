#include "daemon/reconciler.hpp"

#include "daemon/former_cidrs.hpp"
#include "daemon/kernel_routes.hpp"
#include "daemon/node_maps.hpp"
#include "daemon/pod_neighbour_sync.hpp"
#include "daemon/pod_sync.hpp"
#include "dataplane/bpf_fs.hpp"
#include "dataplane/schema_change.hpp"
#include "dataplane/sysctls.hpp"
#include "dataplane/unload.hpp"
#include "ipam/pool.hpp"
#include "net/address.hpp"
#include "net/sysctl.hpp"
#include "pods/node_bridge.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace kubecni {

namespace {

/// Its module is loaded by the first rule that needs it: of kube-proxy, or of ours.
bool is_conntrack_there() {
  return std::filesystem::exists("/proc/sys/net/netfilter/nf_conntrack_count");
}

std::optional<Device> find_tunnel(const std::vector<Link>& links) {
  const auto found = std::ranges::find(links, kTunnelName, &Link::name);
  if (found == links.end() || found->kind != "vxlan") return std::nullopt;
  return Device{found->ifindex, found->name};
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
    load_error_ = opened.error();
    fallback_reason_ = load_error_->what;
    return;
  }
  dataplane_ = std::move(*opened);
  load_error_.reset();
  fallback_reason_.clear();
  upgrade_programs();
}

/// What is pinned may be from another build, or from before conntrack was there.
/// Whoever runs its programs gets the new ones in sync_wires() and sync_pods().
void Reconciler::upgrade_programs() {
  loaded_beside_conntrack_ = is_conntrack_there();
  auto upgraded = kubecni::upgrade_programs(options_.bpffs, options_.run_dir);
  upgrade_error_ = upgraded ? "" : "the pinned programs stay: " + upgraded.error().what;
  if (!upgraded) return;
  no_conntrack_reason_ = upgraded->no_conntrack_reason;
  if (!upgraded->differed) return;
  auto opened = EbpfDataplane::open_loaded(options_.bpffs);
  if (opened)
    dataplane_ = std::move(*opened);
  else
    upgrade_error_ = opened.error().what;
}

/// Takes what is pinned now: pins may be removed while we run, and made anew by
/// the plugin, and then what was opened before leads nowhere.
void Reconciler::ensure_dataplane(ReconcileReport& report) {
  if (options_.dataplane == "bridge") return;
  const bool had_one = dataplane_.has_value();
  if (auto pinned = EbpfDataplane::open_loaded(options_.bpffs); had_one && pinned) {
    dataplane_ = std::move(*pinned);
    if (!loaded_beside_conntrack_ && is_conntrack_there()) upgrade_programs();
  } else {
    dataplane_.reset();
    open_dataplane();
    if (dataplane_ && had_one) report.changes.emplace_back("loaded the programs and maps again");
  }
  if (!upgrade_error_.empty()) report.errors.push_back(upgrade_error_);
}

/// Fills the maps of this build while the programs of the other schema still carry the
/// pods: those of this build find everything as it was.
void Reconciler::begin_schema_change(const std::vector<Link>& links, ReconcileReport& report) {
  auto carried = carry_over_flows(options_.bpffs);
  if (!carried) report.errors.push_back(carried.error().what);
  sync_cluster_network(links, report);
  sync_node_maps(*dataplane_, report);
  fill_endpoints(netlink_, AttachmentStore(options_.state_dir), links, dataplane_->pods.endpoints,
                 report);
}

/// Once no device runs programs of the other schema, nobody needs its pins.
void Reconciler::end_schema_change(const std::vector<Link>& links, ReconcileReport& report) {
  for (const Link& link : links) {
    auto others = runs_other_programs(options_.bpffs, {link.ifindex, link.name});
    if (!others) return report.errors.push_back(others.error().what);
    if (*others)
      return report.errors.push_back(
          "the maps of another schema stay, since programs of it run on " + link.name);
  }
  // What the other programs noted meanwhile.
  auto carried = carry_over_flows(options_.bpffs);
  report.apply(carried ? remove_other_schemas(options_.bpffs, options_.run_dir) : carried,
               "went over from the maps of another schema");
}

/// `--dataplane bridge` on a node that had eBPF before: no map may go on to
/// send packets where nobody corrects it. Pods made with eBPF keep the way to
/// each other on this node.
void Reconciler::withdraw(const std::vector<Link>& links, ReconcileReport& report) {
  auto pinned = changes_schema_ ? EbpfDataplane::open(options_.bpffs, options_.run_dir)
                                : EbpfDataplane::open_loaded(options_.bpffs);
  if (!pinned) {
    load_error_ = pinned.error();
    return;
  }
  dataplane_ = std::move(*pinned);
  auto desired = std::exchange(report.desired, {});
  if (changes_schema_) begin_schema_change(links, report);
  sync_node_maps(*dataplane_, report);
  sync_wires(links, report);
  // Also where the device has gone, and left the pins.
  const auto tunnel = find_tunnel(links);
  auto held =
      tunnel ? is_any_held(options_.bpffs, KUBECNI_ON_TUNNEL, *tunnel) : Result<bool>(false);
  auto detached =
      detach_programs(options_.bpffs, KUBECNI_ON_TUNNEL, tunnel.value_or(Device{0, kTunnelName}));
  if (!detached || (held && *held)) report.apply(detached, "detached from_tunnel and to_tunnel");
  report.desired = std::move(desired);
  // Pods that run another schema's programs are taken over first.
  if (!changes_schema_) dataplane_.reset();
}

/// Our programs cannot take the place of another schema's, which would go on to redirect by
/// maps that nobody corrects. The kernel path carries everything then.
void Reconciler::take_off_other_schema(const std::vector<Link>& links, ReconcileReport& report) {
  // What may be over in the next round.
  constexpr std::array kPassing{ETIMEDOUT, ENOMEM, EAGAIN, EINTR};
  if (!load_error_ || std::ranges::find(kPassing, load_error_->code) != kPassing.end()) return;
  std::vector<Device> devices;
  for (const Link& link : links) devices.push_back({link.ifindex, link.name});
  auto unloaded = unload_dataplane(options_.bpffs, devices);
  report.apply(unloaded ? Result<>() : fail(unloaded),
               "took off the programs of another schema, since those of this build do not load: " +
                   load_error_->what);
}

void Reconciler::ensure_settings(ReconcileReport& report) {
  for (const Sysctl& setting : kPathSysctls) {
    auto written = ensure_sysctl(setting.name, setting.value);
    if (written && *written)
      report.changes.push_back(std::string("set ") + setting.name + "=" + setting.value);
    // Without the module nothing in this namespace filters or tracks.
    if (!written && written.error().code != ENOENT) report.errors.push_back(written.error().what);
  }
}

void Reconciler::ensure_bridge_of(const ClusterView& view, ReconcileReport& report) {
  if (!view.self) return;
  std::vector<IpNet> gateways;
  for (const IpNet& cidr : first_of_each_family(view.self->pod_cidrs)) {
    auto pool = Pool::of({.subnet = cidr});
    if (!pool) {
      report.bridge_error = pool.error().what;
      return report.errors.push_back(pool.error().what);
    }
    gateways.push_back(pool->gateway_net());
  }
  if (gateways.empty()) return;
  auto before = find_link(netlink_, options_.bridge);
  auto bridge = ensure_bridge_of_pods(netlink_, AttachmentStore(options_.state_dir),
                                      options_.bridge, gateways, report.desired.mtu);
  if (!bridge)
    report.errors.push_back(bridge.error().what);
  else if (before && !*before)
    report.changes.push_back("bridge " + options_.bridge + " made");
  auto told = tell_plugin({view.self->name, view.self->pod_cidrs, report.desired.mtu}, report);
  report.bridge_error = !bridge ? bridge.error().what : !told ? told.error().what : "";
}

/// Leaves on disk what ADD needs to know of this node.
Result<> Reconciler::tell_plugin(const NodeInfo& info, ReconcileReport& report) {
  auto saved = load_node_info(options_.state_dir);
  if (saved && *saved && **saved == info) return {};
  auto written = save_node_info(options_.state_dir, info);
  report.apply(written, "what the plugin is told of this node");
  return written;
}

/// Whether from_tunnel judges who sends through the tunnel: it is attached, and knows all nodes.
bool Reconciler::is_guarding_tunnel() {
  if (!dataplane_) return false;
  auto device = find_link(netlink_, kTunnelName);
  if (!device || !*device) return false;
  auto attached =
      dataplane_->programs.is_attached(KUBECNI_ON_TUNNEL, {(*device)->ifindex, (*device)->name});
  auto peers = dataplane_->tunnel_peers.entries();
  return attached && *attached && peers && peers->contains(IpAddr::any(AF_INET)) &&
         peers->contains(IpAddr::any(AF_INET6));
}

/// What leaves the cluster gets the node's address; and where no program asks who
/// sends through the tunnel, the firewall does.
void Reconciler::sync_firewall(const ClusterView& view, ReconcileReport& report) {
  if (!view.self) return;  // not known who is inside: what there is stays
  FirewallSpec spec{.masquerade = options_.masquerade,
                    .own_pods = view.self->pod_cidrs,
                    .cluster_pods = {},
                    .nodes = view.node_addresses,
                    .tunnel_peers = {},
                    .exceptions = options_.non_masquerade_cidrs,
                    .tunnel = {options_.tunnel.port, options_.tunnel.vni},
                    .has_tunnel = true,
                    .guards_tunnel = !is_guarding_tunnel()};
  is_guard_standing_ = spec.guards_tunnel;
  for (const auto& [cidr, owner] : view.owners) spec.cluster_pods.push_back(cidr);
  for (const Node& peer : view.peers)
    std::ranges::copy(peer.internal_ips, std::back_inserter(spec.tunnel_peers));
  if (!firewall_) {
    auto opened = NodeFirewall::open();
    if (!opened) return report.errors.push_back(opened.error().what);
    firewall_ = std::move(*opened);
  }
  auto changes = firewall_->sync(spec);
  if (!changes) return report.errors.push_back(changes.error().what);
  report.changes.insert(report.changes.end(), changes->begin(), changes->end());
}

/// Empty when the kernel did not tell.
std::optional<Underlay> Reconciler::look_at_underlay(const ClusterView& view,
                                                     std::vector<Route> routes,
                                                     ReconcileReport& report) {
  auto links = list_links(netlink_);
  auto addresses = list_addresses(netlink_);
  if (!links || !addresses) {
    report.errors.push_back(links ? addresses.error().what : links.error().what);
    return std::nullopt;
  }
  Underlay underlay{.routing = options_.routing,
                    .uplinks = find_uplinks(*links, *addresses, options_.bridge),
                    .routes = std::move(routes),
                    .own_addresses = view.self ? view.self->internal_ips : std::vector<IpAddr>{},
                    .tunnel = {}};
  for (const LinkAddress& address : *addresses)
    underlay.local_addresses.push_back(address.net.addr);
  auto tunnel = tunnel_.ensure(netlink_, view, underlay.uplinks, report);
  if (tunnel)
    underlay.tunnel = *tunnel;
  else
    underlay.no_tunnel_because = tunnel.error();
  return underlay;
}

void Reconciler::sync_tunnel_programs(const std::vector<Link>& links, ReconcileReport& report) {
  const auto tunnel = find_tunnel(links);
  if (!tunnel) return;
  auto attached = dataplane_->programs.is_attached(KUBECNI_ON_TUNNEL, *tunnel);
  if (attached && *attached) return;
  auto done = dataplane_->programs.attach(KUBECNI_ON_TUNNEL, *tunnel);
  report.apply(done ? Result<>() : fail(done),
               "attached from_tunnel and to_tunnel to " + tunnel->name);
}

void Reconciler::sync_wires(const std::vector<Link>& links, ReconcileReport& report) {
  for (const auto& [name, nic] : report.desired.wires) {
    auto attached = dataplane_->programs.is_attached(KUBECNI_ON_WIRE, nic);
    if (attached && *attached) continue;
    auto done = dataplane_->programs.attach(KUBECNI_ON_WIRE, nic);
    report.apply(done ? Result<>() : fail(done), "attached from_wire and to_wire to " + name);
  }
  for (const Link& link : links) {
    const Device nic{link.ifindex, link.name};
    if (report.desired.wires.contains(link.name)) continue;
    auto held = is_any_held(options_.bpffs, KUBECNI_ON_WIRE, nic);
    if (!held || !*held) continue;
    report.apply(detach_programs(options_.bpffs, KUBECNI_ON_WIRE, nic),
                 "detached from_wire and to_wire from " + link.name);
  }
}

/// Without a bridge nothing from other nodes can be for a pod here.
void Reconciler::sync_cluster_network(const std::vector<Link>& links, ReconcileReport& report) {
  const auto bridge = std::ranges::find(links, options_.bridge, &Link::name);
  const unsigned wanted = bridge == links.end() ? 0 : bridge->ifindex;
  auto known = dataplane_->node_config.cluster_network();
  if (known && *known == wanted) return;
  report.apply(known ? dataplane_->node_config.set_cluster_network(wanted) : Result<>(fail(known)),
               wanted == 0 ? "there is no bridge " + options_.bridge + " for pods of other nodes"
                           : "pods of other nodes reach those on " + options_.bridge);
}

/// Who the pods are, for what they give to the bridge.
void Reconciler::sync_pod_guard(const std::vector<Attachment>& attachments,
                                ReconcileReport& report) {
  if (!pod_guard_) {
    auto opened = PodGuard::open();
    if (!opened) return report.errors.push_back(opened.error().what);
    pod_guard_ = std::move(*opened);
  }
  auto change = pod_guard_->sync(attachments);
  if (!change)
    report.errors.push_back(change.error().what);
  else if (!change->empty())
    report.changes.push_back(*change);
}

/// The pods that there are by the plugin's records.
void Reconciler::sync_attachments(const ClusterView& view, std::vector<Link>& links,
                                  ReconcileReport& report) {
  const AttachmentStore store(options_.state_dir);
  // Before the records, or what an ADD has just made would belong to none.
  const auto neighbours = list_pod_neighbours(netlink_, links, report);
  auto listing = store.list();
  if (!listing) return report.errors.push_back(listing.error().what);
  report.errors.insert(report.errors.end(), listing->damaged.begin(), listing->damaged.end());
  const auto bridge = std::ranges::find(links, options_.bridge, &Link::name);
  if (bridge != links.end())
    sync_former_cidrs(netlink_, view, *bridge, listing->attachments, report);
  sync_pod_guard(listing->attachments, report);
  restore_bridge_macs(netlink_, listing->attachments, links, report);
  if (listing->damaged.empty())
    remove_strange_neighbours(netlink_, listing->attachments, links, neighbours, report);
  sync_pods(netlink_, store, listing->attachments, links, dataplane_ ? &dataplane_->pods : nullptr,
            report);
}

ReconcileReport Reconciler::run(const ClusterView& view) {
  ReconcileReport report;
  auto routes = list_routes(netlink_);
  if (!routes) {
    report.errors.push_back(routes.error().what);
    return report;
  }
  ensure_dataplane(report);
  const auto others = other_schemas(options_.bpffs);
  changes_schema_ = others && !others->empty();
  ensure_settings(report);
  sync_firewall(view, report);
  const auto underlay = look_at_underlay(view, *routes, report);
  if (!underlay) return report;
  report.desired = plan_desired_state(view, *underlay, options_.bridge, options_.rules);
  ensure_bridge_of(view, report);
  sync_kernel_routes(netlink_, *routes, underlay->tunnel ? underlay->tunnel->device.ifindex : 0,
                     report);
  // What there is now: bridge and tunnel may be others than before.
  auto links = list_links(netlink_);
  if (!links) {
    report.errors.push_back(links.error().what);
    return report;
  }
  if (dataplane_) {
    if (changes_schema_) begin_schema_change(*links, report);
    sync_tunnel_programs(*links, report);
    sync_wires(*links, report);
    sync_cluster_network(*links, report);
    sync_node_maps(*dataplane_, report);
  } else if (options_.dataplane == "bridge") {
    withdraw(*links, report);
  }
  if (!dataplane_ && changes_schema_) take_off_other_schema(*links, report);
  // The firewall's guard stood while the device was made, and until the program took over.
  if (is_guard_standing_ == is_guarding_tunnel()) sync_firewall(view, report);
  tunnel_.sync_offload(view, report);
  sync_attachments(view, *links, report);
  if (dataplane_ && changes_schema_) end_schema_change(*links, report);
  if (options_.dataplane == "bridge") dataplane_.reset();
  report.dataplane = dataplane_ ? "ebpf" : "bridge";
  report.fallback_reason = fallback_reason_;
  if (dataplane_) report.no_conntrack_reason = no_conntrack_reason_;
  return report;
}

ReconcileReport Reconciler::clean_up() {
  ReconcileReport report;
  auto routes = list_routes(netlink_);
  auto links = list_links(netlink_);
  if (!routes || !links) {
    report.errors.push_back(routes ? links.error().what : routes.error().what);
    return report;
  }
  // First of all the device, which nobody would guard any more.
  if (const auto tunnel = find_tunnel(*links)) {
    report.apply(delete_link(netlink_, tunnel->ifindex), "tunnel device removed");
    std::erase_if(*links, [&](const Link& link) { return link.ifindex == tunnel->ifindex; });
  }
  changes_schema_ = false;
  withdraw(*links, report);
  sync_kernel_routes(netlink_, *routes, 0, report);
  auto firewall = NodeFirewall::open();
  auto removed = firewall ? firewall->remove() : fail(firewall);
  if (!removed)
    report.errors.push_back(removed.error().what);
  else if (*removed)
    report.changes.emplace_back("nftables table inet kube-cni removed");
  auto guard = PodGuard::open();
  auto unguarded = guard ? guard->remove() : Result<bool>(false);
  if (!unguarded)
    report.errors.push_back(unguarded.error().what);
  else if (*unguarded)
    report.changes.emplace_back("nftables table bridge kube-cni removed");
  return report;
}

}  // namespace kubecni
