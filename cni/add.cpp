#include "addressing.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/rollback.hpp"
#include "cni_result.hpp"
#include "dataplane/kernel_path.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "dataplane/pod_mac.hpp"
#include "dataplane/pod_neighbours.hpp"
#include "dataplane/routed_port.hpp"
#include "delegate.hpp"
#include "ipam/lease_store.hpp"
#include "list_partners.hpp"
#include "net/announce.hpp"
#include "net/bridge.hpp"
#include "net/netns.hpp"
#include "net/nft_batch.hpp"
#include "node_settings.hpp"
#include "pods/bandwidth.hpp"
#include "pods/endpoint.hpp"
#include "pods/host_ports.hpp"
#include "pods/liveness.hpp"
#include "pods/node_bridge.hpp"
#include "pods/policy_entry.hpp"
#include "pods/uplink.hpp"
#include "requests.hpp"
#include "result_shape.hpp"
#include "state/attachment.hpp"
#include "state/policy_mark.hpp"
#include "verbs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

namespace kubecni {

using nlohmann::json;

namespace {

/// The eBPF path if the mode asks for it and it is available; else the reason why not.
struct EbpfChoice {
  std::optional<PodDataplane> dataplane;
  std::string fallback_reason;
};

CniResult<EbpfChoice> choose_dataplane(const NetConf& conf) {
  if (conf.dataplane == DataplaneMode::kBridge) return EbpfChoice{};
  auto opened = PodDataplane::open(conf.bpffs, conf.run_dir, {.max_flows = conf.max_flows});
  if (opened) return EbpfChoice{std::move(*opened), ""};
  if (conf.dataplane == DataplaneMode::kEbpf) return cni_error(opened.error(), "ADD");
  return EbpfChoice{std::nullopt, opened.error().what};
}

/// Errors: code 4 there is no such namespace; 8 it is the node's own.
CniResult<UniqueFd> open_pod_netns(const CniEnv& env) {
  auto netns = open_netns(env.netns);
  if (!netns) return cni_error(netns.error(), "ADD: CNI_NETNS", CniCode::kInvalidEnvironment);
  auto own = is_own_netns(netns->get());
  if (!own) return cni_error(own.error(), "ADD");
  if (*own)
    return cni_error(CniCode::kInvalidNetns,
                     "ADD: CNI_NETNS " + env.netns + " is the namespace of the node itself");
  return std::move(*netns);
}

CniError without_policy_table() {
  return {CniCode::kTryAgainLater,
          std::string("ADD: the cluster has network policies, and this node does not enforce them: "
                      "no nftables table inet ") +
              kPolicyTableName,
          "kube-cnid makes it: does it run?"};
}

/// kube-cnid's table closes a pod until its policies are known. Without it, as after a boot, the
/// pod would be open. Error: code 11.
CniResult<> check_policies(const NetConf& conf) {
  if (!has_policies(conf.state_dir)) return {};
  auto known = list_nft_elements(kPolicyTableName, "known4");
  if (!known) return cni_error(known.error(), "ADD");
  if (!*known) return std::unexpected(without_policy_table());
  return {};
}

/// Somebody may remove the table at any time.
CniResult<> in_policy_table(const Result<>& done) {
  if (done) return {};
  if (done.error().code == ENOENT) return std::unexpected(without_policy_table());
  // kube-cnid has the lock while it writes the table.
  return cni_error(done.error(), "ADD",
                   done.error().code == ETIMEDOUT ? CniCode::kTryAgainLater : CniCode::kSystem);
}

CniResult<> check_ifname_is_free(const CniEnv& env, int pod_netns_fd) {
  auto pod = NetlinkSocket::open_in(pod_netns_fd);
  if (!pod) return cni_error(pod.error(), "ADD");
  auto link = find_link(*pod, env.ifname);
  if (!link) return cni_error(link.error(), "ADD");
  if (*link)
    return cni_error(CniCode::kInvalidEnvironment,
                     "ADD: interface " + env.ifname + " exists already in " + env.netns,
                     "DEL it first, or give another CNI_IFNAME");
  return {};
}

/// The parts of the attachment that do not depend on where the addresses come from.
Attachment plan_attachment(const CniEnv& env, const NetConf& conf, unsigned mtu,
                           const PodRequests& requests, const Lease& lease, bool shaped) {
  const auto mac = [&] {
    return lease.addresses.empty() ? MacAddr::random() : pod_mac_of(lease.addresses.front());
  };
  MacAddr host_mac = mac();
  host_mac.bytes[0] = 0x0e;  // differs from the pod's own; both are locally administered
  return {.network = conf.name,
          .container_id = env.container_id,
          .netns = env.netns,
          .pod = env.pod(),
          .pod_uid = env.arg("K8S_POD_UID"),
          .port = {.bridge = conf.mode == PodMode::kPtp ? "" : conf.bridge,
                   .uplink = conf.uplink,
                   .host_ifname = host_ifname_for(conf.name, env.container_id, env.ifname),
                   .host_mac = host_mac,
                   .pod_ifname = env.ifname,
                   .pod_mac = requests.mac ? *requests.mac : mac(),
                   .owns_gateways = conf.is_gateway,
                   .mtu = mtu},
          .shaped = shaped};
}

bool is_for_want_of_address(const Error& error) {
  return error.code == EADDRNOTAVAIL || error.code == EADDRINUSE;
}

/// Takes an address. A full pool may hold addresses of pods that ended without a DEL: frees those,
/// then tries again.
Result<Lease> allocate(const NetConf& conf, LeaseStore& leases, const NodeSettings& node,
                       const LeaseOwner& owner, const NetnsIdentity& netns,
                       const std::vector<IpAddr>& requested) {
  auto lease = leases.allocate(node.pool_sets, owner, netns, requested);
  if (lease || !is_for_want_of_address(lease.error())) return lease;
  auto reclaimed = reclaim_gone({conf.state_dir, conf.bpffs}, conf.name);
  if (!reclaimed) return fail(reclaimed, lease.error().what);
  if (*reclaimed == 0) return lease;
  log::warn("no address was free; freed those of pods that are gone",
            {{"attachments", std::to_string(*reclaimed)}});
  return leases.allocate(node.pool_sets, owner, netns, requested);
}

CniCode code_of_refusal(const Error& error) {
  if (is_for_want_of_address(error) || error.code == ETIMEDOUT) return CniCode::kTryAgainLater;
  return error.code == EINVAL ? CniCode::kInvalidConfig : CniCode::kSystem;
}

/// What the other plugins of the list mean for how the pod is attached.
struct Surroundings {
  AttachKind pod_hooks = AttachKind::kTcx;
  bool has_limiter = false;  ///< the plugin bandwidth limits the pod, if anybody does
  bool has_limit = false;    ///< its configuration has a limit for every pod
  bool has_portmap = false;  ///< the plugin portmap is given the host ports
};

/// The configuration of another plugin in the list; null if it is not there, or unknown.
const json& partner_of(const std::optional<Partners>& partners, const char* type) {
  static const json null;
  if (!partners) return null;
  const auto found = partners->find(type);
  return found == partners->end() ? null : found->second;
}

/// Whether the runtime tells the plugin what `capability` is about. An operator's own list may say
/// so of several plugins; nothing is to be done twice.
bool is_told(const json& plugin, const char* capability) {
  return member(member(plugin, "capabilities"), capability) == true;
}

/// Whether the configuration of the plugin bandwidth has a limit.
bool has_limit(const json& limiter) {
  const auto is_set = [&](const char* rate) {
    const json& value = member_like_go(limiter, rate);
    return value.is_number() && value != 0;
  };
  return is_set("ingressRate") || is_set("egressRate");
}

AttachKind kind_of(PodHooks hooks, bool all_modest) {
  if (hooks == PodHooks::kAuto) return all_modest ? AttachKind::kClsact : AttachKind::kTcx;
  return hooks == PodHooks::kTcx ? AttachKind::kTcx : AttachKind::kClsact;
}

/// Filters attach sooner, but occupy the place of the ingress qdisc that the bandwidth plugin
/// makes, or another plugin that we do not know.
Surroundings look_around(const NetConf& conf, const PodRequests& requests) {
  constexpr std::array kModest{"portmap", "tuning", "firewall", "sbr"};
  const auto partners = list_partners(conf);
  const json& limiter = partner_of(partners, "bandwidth");
  Surroundings around{
      .has_limiter = is_told(limiter, "bandwidth") || has_limit(limiter),
      .has_limit = has_limit(limiter),
      .has_portmap = is_told(partner_of(partners, "portmap"), "portMappings"),
  };
  const bool all_modest = partners && std::ranges::all_of(*partners, [&](const auto& partner) {
                            return std::ranges::find(kModest, partner.first) != kModest.end();
                          });
  const bool is_limited_later =
      around.has_limit || (around.has_limiter && !requests.bandwidth.empty());
  around.pod_hooks = is_limited_later ? AttachKind::kTcx : kind_of(conf.pod_hooks, all_modest);
  return around;
}

// MACs follow from addresses, 2^32 of them: one is rarely taken, two in a row never.
constexpr unsigned kMacsToTry = 3;

/// A failed undo step leaves something behind, so it is logged.
void report_undo(const char* step, const Result<>& undone) {
  if (!undone) log::error("undo failed", {{"step", step}, {"err", undone.error().what}});
}

/// One ADD. The steps are in the order in which run() calls them.
class Adding {
 public:
  Adding(const CniEnv& env, const NetConf& conf)
      : env_(env),
        conf_(conf),
        leases_(conf.state_dir, conf.name, {conf.ipam.migrate_from, conf.name}),
        attachments_(conf.state_dir) {}

  CniResult<json> run() {
    for (const auto step :
         {&Adding::prepare, &Adding::reserve, &Adding::connect, &Adding::ask_delegate,
          &Adding::configure, &Adding::add_routes, &Adding::limit, &Adding::attach,
          &Adding::map_ports, &Adding::save, &Adding::await_policies}) {
      if (auto done = (this->*step)(); !done) return std::unexpected(done.error());
    }
    auto result = add_result(conf_, attachment_, previous_, dns_);
    if (!result) return cni_error(result.error(), "ADD", CniCode::kInvalidConfig);
    undo_.keep();
    announce();
    report();
    return std::move(*result);
  }

 private:
  /// Reads what is asked for, and whether it is possible. Changes nothing.
  CniResult<> prepare() {
    auto node = node_settings(conf_);
    if (!node) return std::unexpected(node.error());
    auto previous = previous_result(conf_, "ADD");
    if (!previous) return std::unexpected(previous.error());
    auto requests = read_requests(env_, conf_);
    if (!requests) return std::unexpected(requests.error());
    if (!conf_.ipam.type.empty()) {
      auto delegate = Delegate::find(env_, conf_);
      if (!delegate) return std::unexpected(delegate.error());
      delegate_.emplace(std::move(*delegate));
    }
    if (auto enforced = check_policies(conf_); !enforced) return enforced;
    auto netns = open_pod_netns(env_);
    if (!netns) return std::unexpected(netns.error());
    if (auto free = check_ifname_is_free(env_, netns->get()); !free) return free;
    auto ebpf = choose_dataplane(conf_);
    if (!ebpf) return std::unexpected(ebpf.error());
    auto netlink = NetlinkSocket::open();
    if (!netlink) return cni_error(netlink.error(), "ADD");
    node_ = *node;
    previous_ = std::move(*previous);
    requests_ = *requests;
    around_ = look_around(conf_, requests_);
    is_shaped_ = around_.has_limit || !requests_.bandwidth.empty();
    if (around_.has_limiter && !requests_.bandwidth.empty()) {
      log::warn(
          "the limit of bandwidth is left to the plugin bandwidth, which a list of this "
          "network has",
          {{"confDir", conf_.conf_dir.string()}});
      requests_.bandwidth = {};
    }
    if (around_.has_portmap && !requests_.mappings.empty()) {
      log::warn("host ports are left to the plugin portmap, which a list of this network has",
                {{"confDir", conf_.conf_dir.string()}});
      requests_.mappings.clear();
    }
    netns_ = std::move(*netns);
    ebpf_ = std::move(*ebpf);
    netlink_ = std::move(*netlink);
    return look_at_uplink();
  }

  /// Frames that are longer than the uplink takes would get lost on the bridge.
  CniResult<> look_at_uplink() {
    if (conf_.uplink.empty()) return {};
    auto uplink = find_uplink(*netlink_, conf_.uplink, conf_.bridge);
    if (!uplink) return refuse_uplink(uplink.error());
    if (conf_.mtu.value_or(0) > uplink->mtu)
      return cni_error(CniCode::kInvalidConfig,
                       "ADD: \"mtu\": " + std::to_string(*conf_.mtu) + " is more than uplink " +
                           conf_.uplink + " has, " + std::to_string(uplink->mtu),
                       "leave \"mtu\" out, or give the device a larger one");
    node_.mtu = conf_.mtu.value_or(uplink->mtu);
    return {};
  }

  /// A device that is missing may come.
  static CniResult<> refuse_uplink(const Error& error) {
    if (error.code == ENODEV) return cni_error(error, "ADD", CniCode::kTryAgainLater);
    const bool is_operators = error.code == EBUSY || error.code == EINVAL;
    return cni_error(error, "ADD", is_operators ? CniCode::kInvalidConfig : CniCode::kSystem);
  }

  /// Takes the address, and records what will be made.
  CniResult<> reserve() {
    const LeaseOwner owner{env_.container_id, env_.ifname};
    auto identity = identify_netns(netns_.get(), env_.netns);
    if (!identity) return cni_error(identity.error(), "ADD");
    // With an IPAM plugin the lease has no address. It only says that the pod exists.
    const auto requested = delegate_ ? std::vector<IpAddr>{} : requests_.addresses;
    leases_.ask_before_giving([this](const IpAddr& address) { return is_of_living_pod(address); });
    auto lease = allocate(conf_, leases_, node_, owner, *identity, requested);
    for (const auto& repair : leases_.repairs()) log::warn("repaired", {{"what", repair}});
    if (!lease) return cni_error(lease.error(), "ADD", code_of_refusal(lease.error()));
    undo_.add([this, owner] { report_undo("release address", leases_.release(owner)); });
    attachment_ = plan_attachment(env_, conf_, node_.mtu, requests_, *lease, is_shaped_);
    if (!delegate_) {
      auto addressing = addressing_of(*lease, node_, conf_);
      if (!addressing) return std::unexpected(addressing.error());
      use(std::move(*addressing));
    }
    attachment_.mappings = requests_.mappings;
    attachment_.bandwidth = requests_.bandwidth;
    undo_.add([this] {
      report_undo("forget policies",
                  forget_policies(conf_.state_dir, attachment_.port.all_addresses()));
    });
    if (auto closed = close(); !closed) return closed;
    if (auto claimed = claim(); !claimed) return claimed;
    undo_.add([this] {
      report_undo("remove record",
                  remove_record(attachments_, conf_.name, {env_.container_id, env_.ifname},
                                attachment_, {}));
    });
    return {};
  }

  /// Closes the pod before it has a record or an interface, unless no policy can select it.
  CniResult<> close() {
    const auto addresses = attachment_.port.all_addresses();
    return in_policy_table(may_be_selected(conf_.state_dir, attachment_.pod)
                               ? close_by_policies(conf_.state_dir, addresses)
                               : forget_policies(conf_.state_dir, addresses));
  }

  /// Writes the record. Who has a host port may be gone without a DEL, as after a reboot.
  CniResult<> claim() {
    auto claimed = claim_host_ports(attachments_, attachment_);
    if (!claimed && claimed.error().code == EADDRINUSE && reclaim_in_all_networks() > 0)
      claimed = claim_host_ports(attachments_, attachment_);
    if (claimed) return {};
    if (claimed.error().code != EADDRINUSE) return cni_error(claimed.error(), "ADD");
    return cni_error(CniCode::kTryAgainLater, "ADD: " + claimed.error().what,
                     "delete that pod, or give this one another hostPort or hostIP");
  }

  /// How many attachments were removed whose pods are gone. Host ports are those of all networks.
  [[nodiscard]] unsigned reclaim_in_all_networks() const {
    const PodPaths paths{conf_.state_dir, conf_.bpffs};
    unsigned all = 0;
    const auto networks = list_networks(paths);
    for (const auto& network : networks ? *networks : std::vector<std::string>{})
      all += reclaim_gone(paths, network).value_or(0);
    return all;
  }

  Result<bool> has_pod_on_bridge(const IpAddr& address) {
    auto bridge = find_link(*netlink_, conf_.bridge);
    if (!bridge || !*bridge) return false;
    return has_pod_at(*netlink_, address, (*bridge)->ifindex);
  }

  /// Somebody may have removed the records of pods that live.
  bool is_of_living_pod(const IpAddr& address) {
    // The mode may have changed.
    const auto is_there = [](const Result<bool>& has_pod) { return has_pod && *has_pod; };
    if (!is_there(has_pod_on_bridge(address)) && !is_there(has_routed_pod_at(*netlink_, address)))
      return false;
    log::warn("an address was not given out: a pod has it, and its records are lost",
              {{"address", address.str()}});
    return true;
  }

  CniResult<> connect() {
    if (auto ensured = ensure_bridge(); !ensured) return ensured;
    // In mode ptp the pod has its link for itself.
    if (requests_.mac && !attachment_.port.is_routed()) {
      auto free = check_mac_is_free(*netlink_, bridge_, *requests_.mac);
      if (!free) return refuse(free.error());
    }
    // It runs when the veth is gone: until then, kube-cnid may make the limit again.
    undo_.add([this] {
      if (!attachment_.bandwidth.empty())
        report_undo("remove limit", remove_bandwidth(*netlink_, attachment_.port.host_ifname));
    });
    undo_.add([this] {
      report_undo("delete veth", remove_pod_port(*netlink_, attachment_.port.host_ifname));
    });
    auto host = create_port();
    if (!host) return refuse(host.error());
    host_ = *host;
    return {};
  }

  /// Takes another MAC if the one that follows from the address is in use: somebody may have asked
  /// for it.
  Result<Link> create_port() {
    PodPort& port = attachment_.port;
    for (unsigned left = kMacsToTry;; --left) {
      auto host = create_pod_port(*netlink_, netns_.get(), port, bridge_.ifindex);
      if (host || host.error().code != EADDRINUSE || requests_.mac || left == 1) return host;
      if (auto gone = remove_pod_port(*netlink_, port.host_ifname); !gone) return fail(gone);
      log::warn("another MAC taken", {{"err", host.error().what}});
      port.pod_mac = MacAddr::random();
      if (auto closed = close(); !closed) return failure(EAGAIN, closed.error().msg);
      if (auto saved = attachments_.save(attachment_); !saved) return fail(saved);
    }
  }

  /// Why the pod did not get its port. A MAC is refused only if it was asked for.
  [[nodiscard]] CniResult<> refuse(const Error& error) const {
    if (error.code != EADDRINUSE) return cni_error(error, "ADD");
    return cni_error(CniCode::kInvalidConfig, "ADD: the requested " + error.what,
                     "ask for another MAC, or for none");
  }

  /// Runs after the interface is up: dhcp sends through it.
  CniResult<> ask_delegate() {
    if (!delegate_) return {};
    // Registered before the call: a plugin that fails may leave something, too.
    undo_.add([this] {
      if (auto done = delegate_->del(); !done)
        log::error("undo failed", {{"step", "DEL of ipam"}, {"err", done.error().msg}});
    });
    if (auto up = configure(); !up) return up;
    auto result = delegate_->add();
    if (!result) return std::unexpected(result.error());
    auto addressing = addressing_of(*result, conf_);
    if (!addressing) return std::unexpected(addressing.error());
    use(std::move(*addressing));
    if (auto free = check_addresses_are_free(); !free) return free;
    if (auto closed = close(); !closed) return closed;
    if (auto saved = attachments_.save(attachment_); !saved) return cni_error(saved.error(), "ADD");
    return ensure_bridge();
  }

  /// All pods in mode ptp are in one network: the route to another pod would lead to this one.
  CniResult<> check_addresses_are_free() {
    if (!attachment_.port.is_routed()) return {};
    for (const IpAddr& address : attachment_.port.plain_addresses()) {
      auto has_pod = has_routed_pod_at(*netlink_, address);
      if (!has_pod) return cni_error(has_pod.error(), "ADD");
      if (*has_pod)
        return cni_error(
            CniCode::kInvalidConfig,
            "ADD: the IPAM plugin gave " + address.str() + ", which another pod in mode ptp has",
            "give each network in mode ptp a subnet of its own");
    }
    return {};
  }

  CniResult<> configure() {
    if (auto done = configure_pod_port(netns_.get(), attachment_.port); !done)
      return cni_error(done.error(), "ADD");
    undo_.add([this] {
      std::vector<IpAddr> known;
      for (const auto& neighbour : neighbours_of(attachment_.port, gateway_device().ifindex))
        known.push_back(neighbour.addr);
      report_undo("delete neighbours",
                  delete_neighbours_at(*netlink_, known, gateway_device().ifindex));
    });
    auto known = attachment_.port.is_routed()
                     ? ensure_routed_port(*netlink_, host_, attachment_.port)
                     : ensure_neighbours_of(*netlink_, attachment_.port, bridge_.ifindex);
    if (!known) return cni_error(known.error(), "ADD");
    // Otherwise the pod's first packets, which ask for its neighbours, could be lost.
    auto ready = await_pod_port(*netlink_, host_, attachment_.port);
    if (!ready) return cni_error(ready.error(), "ADD");
    return {};
  }

  /// From here on the record and the result name only what was made.
  CniResult<> add_routes() {
    const bool takes_default = conf_.is_default_gateway.value_or(false);
    auto routes = add_pod_routes(netns_.get(), attachment_.port, takes_default);
    if (!routes) return cni_error(routes.error(), "ADD");
    for (const auto& phrase : routes->left_out)
      log::info("route",
                {{"container", env_.container_id}, {"ifname", env_.ifname}, {"what", phrase}});
    attachment_.port.routes = std::move(routes->made);
    return {};
  }

  CniResult<> limit() {
    if (attachment_.bandwidth.empty()) return {};
    auto limited = ensure_bandwidth(*netlink_, attachment_, host_);
    if (!limited) return cni_error(std::move(limited.error()).in("bandwidth"), "ADD");
    return {};
  }

  /// Puts the eBPF path on top. On failure the pod keeps the kernel path, unless the mode forbids
  /// it.
  CniResult<> attach() {
    attachment_.fallback_reason = ebpf_.fallback_reason;
    attachment_.hooks = around_.pod_hooks;  // also for the daemon, which attaches them later
    if (!ebpf_.dataplane) return {};
    undo_.add([this] { report_undo("detach", remove_from_ebpf()); });
    auto attached = attach_ebpf();
    if (!attached && conf_.dataplane == DataplaneMode::kEbpf && !attachment_.is_kernels())
      return cni_error(attached.error(), "ADD");
    if (!attached) {
      attachment_.fallback_reason = attached.error().what;
      report_undo("detach", remove_from_ebpf());
    }
    attachment_.ebpf = attached.has_value();
    return {};
  }

  /// Attaches the programs and makes the pod a redirect target, in this order.
  Result<> attach_ebpf() {
    const PodEndpoint pod = endpoint(may_be_selected(conf_.state_dir, attachment_.pod));
    if (attachment_.is_shaped_by_others() && !has_tcx())
      return failure(EBUSY,
                     "its bandwidth is limited, and before kernel 6.6 the bandwidth plugin "
                     "needs the qdisc that would hold the programs");
    auto kind = ebpf_.dataplane->attach(pod.host, around_.pod_hooks);
    if (!kind) return fail(kind);
    attachment_.hooks = *kind;
    return ebpf_.dataplane->endpoints.add(pod);
  }

  /// Last: what comes to a host port reaches a pod that is complete. The record's undo step removes
  /// them.
  CniResult<> map_ports() {
    auto mapped = map_host_ports(*netlink_, attachments_, attachment_);
    if (!mapped) return cni_error(std::move(mapped.error()).in("host ports"), "ADD");
    return {};
  }

  /// The finished record. From now on kube-cnid keeps the pod's flag in the map as the policies
  /// want it.
  CniResult<> save() {
    if (auto saved = attachments_.save(attachment_); !saved) return cni_error(saved.error(), "ADD");
    return {};
  }

  /// The pod runs when its policies are in force. kube-cnid hears of the record, so it has mostly
  /// seen the pod by now.
  CniResult<> await_policies() {
    if (!has_policies(conf_.state_dir)) return {};
    const auto addresses = attachment_.port.all_addresses();
    if (!may_be_selected(conf_.state_dir, attachment_.pod))
      return in_policy_table(open_by_policies(conf_.state_dir, addresses));
    // The namespace may have got its first policy since attach().
    if (attachment_.ebpf && !is_policed_)
      if (auto marked = ebpf_.dataplane->endpoints.add(endpoint(true)); !marked)
        return cni_error(marked.error(), "ADD");
    auto known = kubecni::await_policies(conf_.state_dir, addresses, conf_.policy_timeout);
    if (!known) return cni_error(known.error(), "ADD");
    if (*known) return {};
    return cni_error(
        CniCode::kTryAgainLater,
        "ADD: the network policies of " + attachment_.pod_text() + " are not in force after " +
            std::to_string(conf_.policy_timeout.count()) + " s",
        "kube-cnid puts them in force when it knows the Pod object: does it run, and reach the "
        "API server?");
  }

  /// What is not known to be open is policed.
  PodEndpoint endpoint(bool is_policed) {
    is_policed_ = is_policed;
    return endpoint_of(attachment_, host_, network_of(attachment_.port, bridge_.ifindex),
                       gateway_device().mac, {}, is_policed ? Policed::kYes : Policed::kNo,
                       Pacing::kNo);
  }

  Result<> remove_from_ebpf() {
    return remove_pod(conf_.bpffs, ebpf_.dataplane->endpoints, {host_.ifindex, host_.name},
                      attachment_.port.plain_addresses());
  }

  /// The device at which the node has the gateways' addresses and the pod.
  [[nodiscard]] const Link& gateway_device() const {
    return attachment_.port.is_routed() ? host_ : bridge_;
  }

  /// In mode ptp there is none, and the pod's gateway is the host end.
  CniResult<> ensure_bridge() {
    PodPort& port = attachment_.port;
    if (port.is_routed()) {
      port.gateway_mac = port.host_mac;
      return {};
    }
    auto bridge = ensure_bridge_of_pods(*netlink_, attachments_, port.bridge,
                                        port.gateway_addresses(), port.mtu);
    if (!bridge) return cni_error(bridge.error(), "ADD");
    bridge_ = *bridge;
    if (port.owns_gateways) port.gateway_mac = bridge_.mac;
    return port.uplink.empty() ? CniResult<>() : connect_uplink();
  }

  /// With policies, nothing goes between the network and a pod past netfilter, and kube-cnid may
  /// not have seen the bridge yet.
  CniResult<> connect_uplink() {
    if (has_policies(conf_.state_dir)) {
      auto filtered = ensure_bridge_meets_netfilter(*netlink_, bridge_);
      if (!filtered) return cni_error(filtered.error(), "ADD: the cluster has network policies");
    }
    auto uplink = ensure_uplink(*netlink_, attachment_.port.uplink, bridge_);
    if (!uplink) return refuse_uplink(uplink.error());
    return {};
  }

  void use(Addressing addressing) {
    attachment_.port.addresses = std::move(addressing.addresses);
    attachment_.port.routes = std::move(addressing.routes);
    dns_ = std::move(addressing.dns);
  }

  /// Others on the bridge may know the address at the MAC of a pod that had it before, and ask
  /// again only after a minute.
  void announce() const {
    const PodPort& port = attachment_.port;
    if (port.is_routed()) return;
    auto told =
        announce_addresses(netns_.get(), port.pod_ifname, port.pod_mac, port.plain_addresses());
    if (!told) log::info("addresses not announced", {{"err", told.error().what}});
  }

  void report() const {
    if (!attachment_.fallback_reason.empty())
      log::info("pod got the kernel path only",
                {{"container", env_.container_id}, {"reason", attachment_.fallback_reason}});
    log::info("pod attached", {{"container", env_.container_id},
                               {"ifname", env_.ifname},
                               {"address", attachment_.port.addresses_text()},
                               {"host", host_.name},
                               {"dataplane", attachment_.ebpf ? "ebpf" : "bridge"}});
  }

  const CniEnv& env_;
  const NetConf& conf_;
  LeaseStore leases_;
  AttachmentStore attachments_;
  NodeSettings node_{};
  PodRequests requests_;
  Surroundings around_;
  UniqueFd netns_;
  EbpfChoice ebpf_;
  std::optional<NetlinkSocket> netlink_;
  std::optional<Delegate> delegate_;
  Attachment attachment_;
  json previous_;              ///< result of the plugins before us
  json dns_ = json::object();  ///< of the delegate
  Link bridge_;
  Link host_;
  bool is_shaped_ = false;   ///< kube-cni or a later plugin limits the pod's bandwidth
  bool is_policed_ = false;  ///< the programs leave the pod's packets to netfilter
  Rollback undo_;            // the last member: its steps need the others
};

}  // namespace

CniResult<json> cmd_add(const CniEnv& env, const NetConf& conf) { return Adding(env, conf).run(); }

}  // namespace kubecni
