#include "control/probe/probe_controller.hpp"

#include "net/link.hpp"
#include "state/daemon_status.hpp"

#include <cerrno>
#include <string>

namespace kubecni {

namespace {

/// Without them the pods that are reached through the tunnel alone would be cut off until the test
/// finds that out anew.
std::vector<ProbeFinding> earlier_detours(const DaemonOptions& options) {
  std::vector<ProbeFinding> detours;
  if (options.probe_port == 0) return detours;
  const auto status = read_daemon_status(options.run_dir);
  if (!status || !*status) return detours;
  for (const SilentPeerStatus& peer : (*status)->probes.peers) {
    const auto address = IpAddr::parse(peer.address);
    if (!peer.is_detour || !address) continue;
    detours.push_back({.node = peer.name,
                       .address = *address,
                       .since = std::chrono::system_clock::now(),
                       .by_tunnel = true,
                       .is_detour = true,
                       .cause = "as before this daemon started"});
  }
  return detours;
}

ProbeReport report_of(const std::vector<ProbeFinding>& earlier) {
  ProbeReport report{.unknown = earlier.size(), .findings = earlier};
  for (const ProbeFinding& finding : earlier)
    report.detours.emplace(finding.node, finding.address.family());
  return report;
}

}  // namespace

ProbeController::ProbeController(DaemonOptions options, NetlinkSocket netlink)
    : options_(std::move(options)),
      netlink_(std::move(netlink)),
      earlier_(earlier_detours(options_)),
      table_(std::make_unique<ProbeTable>(random_nonce)) {}

Result<ProbeController> ProbeController::open(const DaemonOptions& options) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  return ProbeController(options, std::move(*netlink));
}

Result<> ProbeController::ensure(const ProbeSelf& self, const Link* bridge, unsigned mtu,
                                 Outcome& outcome) {
  bool is_right = false;
  if (pod_) {
    auto restored = pod_->restore(netlink_, bridge, self.nets);
    if (!restored) return fail(restored);
    is_right = *restored;
  }
  if (!is_right) {
    prober_.reset();
    pod_.reset();
    auto made = ProbePod::make(netlink_, bridge, options_.bridge, self.nets, mtu);
    if (!made) return fail(made);
    pod_ = std::move(*made);
    outcome.changes.push_back("probe address " + pod_->addresses_text() + " made");
  }
  if (prober_ && self_ == self) return {};
  prober_.reset();
  auto started = Prober::start(pod_->netns_fd(), self, *table_);
  if (!started) return fail(started);
  prober_ = std::move(*started);
  self_ = self;
  return {};
}

/// What is not tested.
void ProbeController::describe(const Node& self, Outcome& outcome) const {
  for (const IpNet& cidr : first_of_each_family(self.pod_cidrs))
    if (probe_nets_of({cidr}).empty())
      outcome.say(ConditionKind::kNodeDoubtful,
                  "ways to pods of other nodes are not tested for " +
                      std::string(cidr.addr.is_v4() ? "IPv4" : "IPv6") + ": " + cidr.str() +
                      " is too small to have an address to spare",
                  self.name);
  for (const std::string& problem : prober_->problems())
    outcome.say(ConditionKind::kNodeDoubtful,
                "other nodes are not asked at their own addresses, so it is not known whether one "
                "that is silent is down: " +
                    problem,
                self.name);
}

void ProbeController::sync(const ClusterView& view, std::vector<ProbeTarget> targets, unsigned mtu,
                           bool drops_forwarded, const MacAddr& tunnel_mac, Outcome& outcome) {
  if (options_.probe_port == 0 && std::exchange(may_be_left_over_, false)) clean_up(outcome);
  if (!view.self || options_.probe_port == 0 || targets.empty()) {
    if (prober_) prober_->set_targets({}, {});
    return;
  }
  const ProbeSelf self{.nets = probe_nets_of(view.self->pod_cidrs),
                       .node_addresses = first_of_each_family(view.self->internal_ips),
                       .port = options_.probe_port,
                       .tunnel_port = options_.tunnel.port,
                       .vni = options_.tunnel.vni,
                       .tunnel_mac = tunnel_mac};
  auto bridge = find_link(netlink_, options_.bridge);
  if (!bridge) return outcome.fail(bridge.error().what);
  const bool is_ptp = options_.is_ptp();
  if (self.nets.empty() || (!is_ptp && !*bridge)) return;
  if (auto made = ensure(self, is_ptp ? nullptr : &**bridge, mtu, outcome); !made) {
    const std::string what = "other nodes are not tested: " + made.error().what;
    if (made.error().code != EPERM && made.error().code != EADDRINUSE) return outcome.fail(what);
    // Everything else works without. Detours would last for ever.
    earlier_.clear();
    prober_.reset();
    table_->set_targets({});
    return outcome.say(ConditionKind::kNodeDoubtful, what + "; --probe-port 0 does without",
                       view.self->name);
  }
  earlier_.clear();
  describe(*view.self, outcome);
  prober_->set_targets(std::move(targets), {.drops_forwarded = drops_forwarded,
                                            .probe_port = options_.probe_port,
                                            .tunnel_port = options_.tunnel.port});
}

ProbeReport ProbeController::report() const {
  if (!earlier_.empty()) return report_of(earlier_);
  return prober_ ? prober_->report() : table_->report({});
}

void ProbeController::clean_up(Outcome& outcome) {
  auto removed = ProbePod::remove_left_over(netlink_, options_.bridge);
  if (!removed)
    outcome.fail(removed.error().what);
  else if (*removed)
    outcome.changes.emplace_back("probe address removed");
}

}  // namespace kubecni
