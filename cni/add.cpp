#include "base/log.hpp"
#include "base/rollback.hpp"
#include "cni_result.hpp"
#include "dataplane/attachment.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "ipam/lease_store.hpp"
#include "net/netns.hpp"
#include "node_settings.hpp"
#include "pods/liveness.hpp"
#include "requests.hpp"
#include "verbs.hpp"

#include <cerrno>
#include <optional>
#include <vector>

namespace kubecni {

using nlohmann::json;

namespace {

/// The eBPF path if the mode asks for it and it is there; else why it is not.
struct EbpfChoice {
  std::optional<EbpfDataplane> dataplane;
  std::string fallback_reason;
};

CniResult<EbpfChoice> choose_dataplane(const NetConf& conf) {
  if (conf.dataplane == DataplaneMode::kBridge) return EbpfChoice{};
  auto opened = EbpfDataplane::open(conf.bpffs, conf.run_dir);
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

Attachment plan_attachment(const CniEnv& env, const NetConf& conf, const Pool& pool, unsigned mtu,
                           const IpAddr& address, const std::optional<MacAddr>& mac) {
  MacAddr host_mac = MacAddr::derived_from(address);
  host_mac.bytes[0] = 0x0e;  // the pod's own begins with 0x0a; both are locally administered
  return {.network = conf.name,
          .container_id = env.container_id,
          .netns = env.netns,
          .pod = env.pod(),
          .port = {.bridge = conf.bridge,
                   .gateway = pool.gateway_net(),
                   .host_ifname = host_ifname_for(conf.name, env.container_id, env.ifname),
                   .host_mac = host_mac,
                   .pod_ifname = env.ifname,
                   .pod_mac = mac.value_or(MacAddr::derived_from(address)),
                   .address = {address, pool.subnet().prefix},
                   .mtu = mtu}};
}

/// Attaches the programs and makes the pod a redirect target, in this order.
Result<> attach_ebpf(EbpfDataplane& dataplane, const Link& host, const Link& bridge,
                     const PodPort& port) {
  const Device device{host.ifindex, host.name};
  if (auto attached = dataplane.attach_pod(device); !attached) return fail(attached);
  return dataplane.add_endpoint({.host = device,
                                 .address = port.address.addr,
                                 .pod_mac = port.pod_mac,
                                 .gateway_mac = bridge.mac});
}

/// A pod's port has one address so far, of IPv4.
CniResult<> check_pools(const NodeSettings& node) {
  if (node.pool_sets.size() == 1 && node.pool_sets.front().front().subnet().addr.is_v4()) return {};
  std::string subnets;
  for (const PoolSet& set : node.pool_sets) subnets += " " + describe(set);
  return cni_error(CniCode::kInvalidConfig,
                   "ADD: the subnets" + subnets + ": only one set of ranges is supported, of IPv4");
}

bool is_for_want_of_address(const Error& error) {
  return error.code == EADDRNOTAVAIL || error.code == EADDRINUSE;
}

/// What is taken may be the address of a pod that ended without a DEL.
Result<Lease> allocate(const NetConf& conf, LeaseStore& leases, const NodeSettings& node,
                       const LeaseOwner& owner, const NetnsIdentity& netns,
                       const std::vector<IpAddr>& requested) {
  auto lease = leases.allocate(node.pool_sets, owner, netns, requested);
  if (lease || !is_for_want_of_address(lease.error())) return lease;
  auto reclaimed = reclaim_gone({conf.state_dir, conf.bpffs}, conf.name);
  if (!reclaimed) return fail(reclaimed, lease.error().what);
  if (*reclaimed == 0) return lease;
  log::warn("no address was free, freed what had no pod any more",
            {{"attachments", std::to_string(*reclaimed)}});
  return leases.allocate(node.pool_sets, owner, netns, requested);
}

CniCode code_of_refusal(const Error& error) {
  if (is_for_want_of_address(error)) return CniCode::kTryAgainLater;
  return error.code == EINVAL ? CniCode::kInvalidConfig : CniCode::kSystem;
}

/// An undo step that fails leaves something behind, which must not be silent.
void report_undo(const char* step, const Result<>& undone) {
  if (!undone) log::error("undo failed", {{"step", step}, {"err", undone.error().what}});
}

}  // namespace

CniResult<json> cmd_add(const CniEnv& env, const NetConf& conf) {
  if (!conf.prev_result.is_null())
    return cni_error(CniCode::kUnsupportedField,
                     "ADD: \"prevResult\" is set; kube-cni has to be the first plugin of the list");
  auto node = node_settings(conf);
  if (!node) return std::unexpected(node.error());
  if (auto supported = check_pools(*node); !supported) return std::unexpected(supported.error());
  auto requests = read_requests(env, conf);
  if (!requests) return std::unexpected(requests.error());
  auto netns = open_pod_netns(env);
  if (!netns) return std::unexpected(netns.error());
  if (auto free = check_ifname_is_free(env, netns->get()); !free)
    return std::unexpected(free.error());
  auto ebpf = choose_dataplane(conf);
  if (!ebpf) return std::unexpected(ebpf.error());
  auto netlink = NetlinkSocket::open();
  if (!netlink) return cni_error(netlink.error(), "ADD");

  LeaseStore leases(conf.state_dir, conf.name, {conf.ipam.migrate_from, conf.name});
  const LeaseOwner owner{env.container_id, env.ifname};
  const AttachmentStore attachments(conf.state_dir);
  // What an undo step refers to is declared above, what it copies, below: the
  // steps run after the variables below have gone.
  Rollback undo;
  auto identity = identify_netns(netns->get(), env.netns);
  if (!identity) return cni_error(identity.error(), "ADD");
  auto lease = allocate(conf, leases, *node, owner, *identity, requests->addresses);
  for (const auto& repair : leases.repairs()) log::warn("repaired", {{"what", repair}});
  if (!lease) return cni_error(lease.error(), "ADD", code_of_refusal(lease.error()));
  undo.add([&] { report_undo("release address", leases.release(owner)); });

  const IpAddr address = lease->addresses.front();
  const Pool& pool = *find_pool(node->pool_sets, address);
  Attachment attachment = plan_attachment(env, conf, pool, node->mtu, address, requests->mac);
  if (auto saved = attachments.save(attachment); !saved) return cni_error(saved.error(), "ADD");
  undo.add([&] {
    report_undo("remove record", attachments.remove(conf.name, env.container_id, env.ifname));
  });

  auto bridge = ensure_node_bridge(*netlink, conf.bridge, pool.gateway_net(), node->mtu);
  if (!bridge) return cni_error(bridge.error(), "ADD");
  undo.add([&, host_ifname = attachment.port.host_ifname] {
    report_undo("delete veth", remove_pod_port(*netlink, host_ifname));
  });
  auto host = add_pod_port(*netlink, netns->get(), attachment.port, bridge->ifindex);
  if (!host) return cni_error(host.error(), "ADD");

  if (ebpf->dataplane) {
    const auto remove = [&ebpf, device = Device{host->ifindex, host->name}, address] {
      return ebpf->dataplane->remove_pod(device, address);
    };
    undo.add([remove] { report_undo("detach", remove()); });
    auto attached = attach_ebpf(*ebpf->dataplane, *host, *bridge, attachment.port);
    if (!attached && conf.dataplane == DataplaneMode::kEbpf)
      return cni_error(attached.error(), "ADD");
    if (!attached) {
      ebpf->fallback_reason = attached.error().what;
      report_undo("detach", remove());
    }
    attachment.ebpf = attached.has_value();
  }
  attachment.fallback_reason = ebpf->fallback_reason;
  if (auto saved = attachments.save(attachment); !saved) return cni_error(saved.error(), "ADD");
  undo.keep();

  if (!attachment.fallback_reason.empty())
    log::warn("pod got the kernel path only",
              {{"container", env.container_id}, {"reason", attachment.fallback_reason}});
  log::info("pod attached", {{"container", env.container_id},
                             {"ifname", env.ifname},
                             {"address", attachment.port.address.str()},
                             {"host", host->name},
                             {"dataplane", attachment.ebpf ? "ebpf" : "bridge"}});
  return add_result(conf, attachment);
}

}  // namespace kubecni
