#include "control/bridge/bridge_controller.hpp"

#include "base/file.hpp"
#include "dataplane/kernel_path.hpp"
#include "dataplane/sysctls.hpp"
#include "ipam/pool.hpp"
#include "net/ipsec.hpp"
#include "net/link.hpp"
#include "net/sysctl.hpp"
#include "pods/node_bridge.hpp"
#include "state/attachment.hpp"
#include "state/node_info.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

namespace {

void ensure_settings(Outcome& outcome) {
  for (const Sysctl& setting : kPathSysctls) {
    auto written = ensure_sysctl(setting.name, setting.value);
    if (written && *written)
      outcome.changes.push_back(std::string("set ") + setting.name + "=" + setting.value);
    // A missing setting is fine: without its module nothing in this namespace filters or tracks.
    if (!written && written.error().code != ENOENT) outcome.fail(written.error().what);
  }
}

/// A setting of conntrack; 0 if there is none, as without its module.
std::uint32_t seconds_of(const std::string& setting) {
  auto text = read_file("/proc/sys/" + setting);
  return text ? static_cast<std::uint32_t>(std::strtoul(text->c_str(), nullptr, 10)) : 0;
}

/// The node's own setting says only what devices begin with. IPv6 has none for a device alone.
void ensure_forwarding_of(const std::set<std::string>& devices, Outcome& outcome) {
  for (const std::string& device : devices) {
    const std::string setting = forwarding_of_device(AF_INET, device);
    auto written = ensure_sysctl(setting, "1");
    if (written && *written) outcome.changes.push_back("set " + setting + "=1");
    // The device is gone, or has no IPv4.
    if (!written && written.error().code != ENOENT) outcome.fail(written.error().what);
  }
}

/// The bridge's addresses. Each is the gateway for the pods of its family.
Result<std::vector<IpNet>> plan_gateways(const Node& self) {
  std::vector<IpNet> gateways;
  for (const IpNet& cidr : first_of_each_family(self.pod_cidrs)) {
    auto pool = Pool::of({.subnet = cidr});
    if (!pool) return fail(pool);
    gateways.push_back(pool->gateway_net());
  }
  return gateways;
}

/// Lets the node forward packets of the gateways' families. Each pod's host end gets its own
/// setting by ADD.
Result<> ensure_node_forwarding(const std::vector<IpNet>& gateways) {
  for (const IpNet& gateway : gateways) {
    const char* const setting =
        gateway.addr.is_v4() ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
    if (auto set = ensure_sysctl(setting, "1"); !set) return fail(set);
  }
  return {};
}

/// Writes to disk what ADD needs to know about this node. Result: whether that changed.
Result<bool> tell_plugin(const std::filesystem::path& state_dir, const NodeInfo& info) {
  auto saved = load_node_info(state_dir);
  if (saved && *saved && **saved == info) return false;
  if (auto written = save_node_info(state_dir, info); !written) return fail(written);
  return true;
}

}  // namespace

Result<BridgeController> BridgeController::open(const DaemonOptions& options) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  return BridgeController(options, std::move(*netlink));
}

/// In mode ptp, each pod's host end is the gateway.
Result<> BridgeController::sync_bridge(const std::vector<IpNet>& gateways, unsigned mtu,
                                       Outcome& outcome) {
  if (options_.is_ptp()) return ensure_node_forwarding(gateways);
  auto before = find_link(netlink_, options_.bridge);
  auto bridge = ensure_bridge_of_pods(netlink_, AttachmentStore(options_.state_dir),
                                      options_.bridge, gateways, mtu);
  if (bridge && before && !*before)
    outcome.changes.push_back("bridge " + options_.bridge + " made");
  return bridge ? Result<>() : fail(bridge);
}

Result<> BridgeController::sync_node(const Node& self, unsigned mtu, Outcome& outcome) {
  auto gateways = plan_gateways(self);
  if (!gateways) return fail(gateways);
  if (gateways->empty()) return {};
  auto bridge = sync_bridge(*gateways, mtu, outcome);
  // Even if this bridge failed: the plugin makes a missing bridge itself.
  auto told = tell_plugin(options_.state_dir, {self.name, self.pod_cidrs, mtu});
  if (told && *told)
    outcome.changes.emplace_back("wrote what the plugin needs to know about this node");
  if (!told && !bridge) outcome.fail(told.error().what);
  if (!bridge) return fail(bridge);
  return told ? Result<>() : fail(told);
}

/// The network of the pods that other nodes reach. 0: there is no bridge, so there are no such
/// pods.
Result<unsigned> BridgeController::find_cluster_network() {
  if (options_.is_ptp()) return KUBECNI_ROUTED_NETWORK;
  auto bridge = find_link(netlink_, options_.bridge);
  if (!bridge) return fail(bridge);
  return *bridge ? (*bridge)->ifindex : 0;
}

/// Tells the programs what holds for the whole node: in which network the pods for other nodes are,
/// how long conntrack keeps flows, which packets are the tunnel's, and whether something may have
/// to be encrypted.
void BridgeController::sync_node_config(EbpfDataplane& dataplane, Outcome& outcome) {
  auto cluster_network = find_cluster_network();
  if (!cluster_network) return outcome.fail(cluster_network.error().what);
  auto known = dataplane.node_config.read();
  if (!known) return outcome.fail(known.error().what);
  kubecni_node_config wanted{
      .cluster_network = *cluster_network,
      .tcp_timeout_s = seconds_of("net/netfilter/nf_conntrack_tcp_timeout_established"),
      .udp_timeout_s = seconds_of("net/netfilter/nf_conntrack_udp_timeout_stream"),
      .udp_unanswered_timeout_s = seconds_of("net/netfilter/nf_conntrack_udp_timeout")};
  const bool may_have_tunnel = options_.routing != Routing::kDirect;
  const std::uint16_t tunnel_port = may_have_tunnel ? htons(options_.tunnel.port) : 0;
  std::memcpy(wanted.tunnel_port, &tunnel_port, sizeof(tunnel_port));
  auto has_ipsec = has_ipsec_policies();
  if (!has_ipsec) outcome.fail(has_ipsec.error().what);
  wanted.may_bypass_ipsec = has_ipsec && !*has_ipsec;
  wanted.needs_judged_mark = known->needs_judged_mark;  // PolicyController's
  wanted.has_pacers = known->has_pacers;                // PodsController's
  if (std::memcmp(&wanted, &*known, sizeof(wanted)) == 0) return;
  const auto written = dataplane.node_config.set(wanted);
  if (wanted.cluster_network == known->cluster_network) {
    outcome.apply(written, wanted.may_bypass_ipsec
                               ? "no policy of IPsec has to see packets; conntrack's timeouts and "
                                 "the tunnel's port are known"
                               : "policies of IPsec may have to encrypt packets: the kernel path "
                                 "has translated flows out of the cluster, and the tunnel device "
                                 "makes all outer headers");
    return;
  }
  outcome.apply(written, options_.is_ptp() ? "pods of other nodes reach the pods of mode ptp"
                         : *cluster_network != 0
                             ? "pods of other nodes reach the pods on " + options_.bridge
                             : "there is no bridge " + options_.bridge +
                                   " that pods of other nodes can reach");
}

void BridgeController::sync(const ClusterView& view, std::optional<unsigned> mtu,
                            const std::set<std::string>& uplinks, EbpfDataplane* dataplane,
                            Outcome& outcome) {
  ensure_settings(outcome);
  ensure_forwarding_of(uplinks, outcome);
  if (!mtu) {
    outcome.say(
        ConditionKind::kNotReady,
        "the pods' bridge was not checked, since the kernel did not list the node's devices");
  } else if (view.self) {
    auto made = sync_node(*view.self, *mtu, outcome);
    if (!made) {
      outcome.fail(made.error().what);
      outcome.say(ConditionKind::kNotReady,
                  (options_.is_ptp() ? "the node is not ready to route to pods: "
                                     : "the pods' bridge is not as it should be: ") +
                      made.error().what);
    }
  }
  if (dataplane) sync_node_config(*dataplane, outcome);
}

}  // namespace kubecni
