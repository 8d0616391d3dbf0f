#include "control/bridge/bridge_controller.hpp"

#include "dataplane/kernel_path.hpp"
#include "dataplane/sysctls.hpp"
#include "ipam/pool.hpp"
#include "net/link.hpp"
#include "net/sysctl.hpp"
#include "pods/node_bridge.hpp"
#include "state/attachment.hpp"
#include "state/node_info.hpp"

#include <sys/socket.h>

#include <cerrno>
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

Result<> BridgeController::sync_bridge(const Node& self, unsigned mtu, Outcome& outcome) {
  auto gateways = plan_gateways(self);
  if (!gateways) return fail(gateways);
  if (gateways->empty()) return {};
  auto before = find_link(netlink_, options_.bridge);
  auto bridge = ensure_bridge_of_pods(netlink_, AttachmentStore(options_.state_dir),
                                      options_.bridge, *gateways, mtu);
  if (bridge && before && !*before)
    outcome.changes.push_back("bridge " + options_.bridge + " made");
  // Even if this bridge failed: the plugin makes a missing bridge itself.
  auto told = tell_plugin(options_.state_dir, {self.name, self.pod_cidrs, mtu});
  if (told && *told)
    outcome.changes.emplace_back("wrote what the plugin needs to know about this node");
  if (!told && !bridge) outcome.fail(told.error().what);
  if (!bridge) return fail(bridge);
  return told ? Result<>() : fail(told);
}

/// Tells the programs which bridge has the pods for other nodes. Without a bridge there are none.
void BridgeController::sync_cluster_network(EbpfDataplane& dataplane, Outcome& outcome) {
  auto bridge = find_link(netlink_, options_.bridge);
  if (!bridge) return outcome.fail(bridge.error().what);
  const unsigned wanted = *bridge ? (*bridge)->ifindex : 0;
  auto known = dataplane.node_config.cluster_network();
  if (known && *known == wanted) return;
  outcome.apply(
      known ? dataplane.node_config.set_cluster_network(wanted) : Result<>(fail(known)),
      wanted == 0 ? "there is no bridge " + options_.bridge + " that pods of other nodes can reach"
                  : "pods of other nodes reach the pods on " + options_.bridge);
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
    auto made = sync_bridge(*view.self, *mtu, outcome);
    if (!made) {
      outcome.fail(made.error().what);
      outcome.say(ConditionKind::kNotReady,
                  "the pods' bridge is not as it should be: " + made.error().what);
    }
  }
  if (dataplane) sync_cluster_network(*dataplane, outcome);
}

}  // namespace kubecni
