#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/bpf_map.hpp"
#include "dataplane/dual_stack_map.hpp"
#include "dataplane/hook.hpp"
#include "kubecni/abi.h"

#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace kubecni {

/// Where a node's pins are.
///
///   <bpffs>/v3/maps/<map>      the maps of include/kubecni/abi.h, by schema
///   <bpffs>/v3/progs/<program> the programs, for ADD to attach without loading
///   <bpffs>/links/<device>_<program>
struct PinPaths {
  explicit PinPaths(const std::filesystem::path& bpffs);
  std::filesystem::path maps;
  std::filesystem::path progs;
  std::filesystem::path links;
};

using PodIfaceMap = BpfMap<__u32, kubecni_pod_iface>;
using NodeConfigMap = BpfMap<__u32, kubecni_node_config>;

// Loading takes some ten milliseconds; on a slow machine a second.
inline constexpr std::chrono::seconds kLoadTimeout{30};

/// What the eBPF path has to know of one pod.
struct PodEndpoint {
  Device host;                    ///< host end of the veth
  unsigned network = 0;           ///< ifindex of the bridge that `host` is a port of
  std::vector<IpAddr> addresses;  ///< of both families
  MacAddr pod_mac;
  MacAddr gateway_mac;
  bool shaped = false;  ///< a queueing discipline works on its traffic: no redirects
};

/// The eBPF path of one node: its pinned programs and maps. Everything that it
/// sets up outlives the process.
class EbpfDataplane {
 public:
  /// Opens what is pinned below `bpffs`; loads and pins it first where that
  /// has not been done, under a lock in `run_dir`, for which it waits at most
  /// `patience`.
  /// Errors: EPERM no CAP_BPF or CAP_NET_ADMIN; those of ensure_bpffs(); the
  /// verifier's, with the end of its log.
  static Result<EbpfDataplane> open(const std::filesystem::path& bpffs,
                                    const std::filesystem::path& run_dir,
                                    std::chrono::milliseconds patience = kLoadTimeout);

  /// Opens what is pinned and loads nothing. Errors: ENOENT nothing is loaded.
  static Result<EbpfDataplane> open_loaded(const std::filesystem::path& bpffs);

  /// Pins the programs of this build in place of others. Those that are
  /// attached go on until attach_*() is called again. Returns whether the
  /// pinned ones were others: of another build, or of the other kind of
  /// asks_conntrack() than this kernel takes now.
  Result<bool> upgrade_programs(const std::filesystem::path& run_dir);

  /// Attaches the pod's programs as attach() does, or brings them up to date.
  Result<AttachKind> attach_pod(const Device& host, AttachKind preferred = AttachKind::kTcx);
  /// Makes the pod a sender and a redirect target, in this network and no other any
  /// more. Its interface is up by now.
  Result<> add_endpoint(const PodEndpoint& pod);
  /// Undoes both; what is absent is fine. `host.ifindex` may be 0 when the
  /// interface is gone: then `addresses` are removed from what leads to no interface,
  /// since a pod of another network may have the same. Otherwise they may be empty,
  /// when nobody knows them any more.
  Result<> remove_pod(const Device& host, const std::vector<IpAddr>& addresses);
  /// What of the pod's state is not as it should be, a phrase each.
  Result<std::vector<std::string>> differences(const PodEndpoint& pod) const;

  /// Whether the programs ask the kernel's conntrack who carries a flow. Where
  /// they cannot, a flow that the kernel carried once stays there while its
  /// entry lasts.
  [[nodiscard]] Result<bool> asks_conntrack() const;
  /// Why not, as far as open() or upgrade_programs() of this object loaded the
  /// programs; else empty. libbpf's and the verifier's words.
  [[nodiscard]] const std::string& no_conntrack_reason() const { return no_conntrack_reason_; }

  Result<AttachKind> attach_wire(const Device& nic);
  Result<> detach_wire(const Device& nic);
  /// Whether both programs are attached, in their pinned version.
  [[nodiscard]] Result<bool> is_wire_attached(const Device& nic) const;
  /// Whether anything of ours is attached as to a wire, in whatever version.
  [[nodiscard]] Result<bool> is_wire_held(const Device& nic) const;

  /// The same for the tunnel device.
  Result<AttachKind> attach_tunnel(const Device& tunnel);
  Result<> detach_tunnel(const Device& tunnel);
  [[nodiscard]] Result<bool> is_tunnel_attached(const Device& tunnel) const;
  [[nodiscard]] Result<bool> is_tunnel_held(const Device& tunnel) const;

  /// How to reach the node of each PodCIDR, of both families. Setting or erasing
  /// one entry leaves the others alone; erasing what is absent is success.
  [[nodiscard]] Result<std::map<IpNet, kubecni_node>> node_cidrs() const;
  Result<> set_node_cidr(const IpNet& cidr, const kubecni_node& node);
  Result<> erase_node_cidr(const IpNet& cidr);

  /// From where nodes of the cluster may send through the tunnel, of both
  /// families. The entry of IpAddr::any(family) says that the family's list is
  /// complete; without it nobody of that family is refused. Hence: set it last.
  [[nodiscard]] Result<std::map<IpAddr, kubecni_tunnel_peer>> tunnel_peers() const;
  Result<> set_tunnel_peer(const IpAddr& address, const kubecni_tunnel_peer& peer);
  Result<> erase_tunnel_peer(const IpAddr& address);

  /// The network that pods of other nodes are on: the ifindex of its bridge, or 0 for
  /// none, and then nothing goes to or comes from other nodes by eBPF.
  [[nodiscard]] Result<unsigned> cluster_network() const;
  Result<> set_cluster_network(unsigned bridge_ifindex);

  /// For whoever looks into them, or damages them.
  EndpointMap& endpoints() { return endpoints_; }
  PodIfaceMap& pod_ifaces() { return pod_ifaces_; }

 private:
  EbpfDataplane(PinPaths pins, NodeCidrMap node_cidrs, EndpointMap endpoints,
                PodIfaceMap pod_ifaces, TunnelPeerMap tunnel_peers, NodeConfigMap node_config)
      : pins_(std::move(pins)),
        node_cidrs_(std::move(node_cidrs)),
        endpoints_(std::move(endpoints)),
        pod_ifaces_(std::move(pod_ifaces)),
        tunnel_peers_(std::move(tunnel_peers)),
        node_config_(std::move(node_config)) {}

  Result<> find_programs();
  [[nodiscard]] Result<UniqueFd> open_program(const Hook& hook) const;
  /// The host ifindexes that the maps have for the addresses, and the kernel has not.
  [[nodiscard]] Result<std::set<unsigned>> find_gone_ifaces(
      const std::vector<IpAddr>& addresses) const;
  /// Takes the interface out of the maps.
  Result<> erase_pod(unsigned host_ifindex, const std::vector<IpAddr>& addresses);
  Result<> erase_endpoint(const EndpointKey& key, unsigned host_ifindex);
  Result<> erase_endpoints_of(unsigned host_ifindex);
  Result<> compare_endpoint(const PodEndpoint& pod, const IpAddr& address,
                            std::vector<std::string>& found) const;
  template <std::size_t N>
  Result<AttachKind> attach_all(const std::array<Hook, N>& hooks, const Device& device,
                                AttachKind preferred);
  template <std::size_t N>
  Result<> detach_all(const std::array<Hook, N>& hooks, const Device& device);
  template <std::size_t N>
  [[nodiscard]] Result<bool> are_attached(const std::array<Hook, N>& hooks,
                                          const Device& device) const;
  template <std::size_t N>
  [[nodiscard]] Result<bool> is_any_held(const std::array<Hook, N>& hooks,
                                         const Device& device) const;

  PinPaths pins_;
  // By name. Opened when they are attached: a plugin may have few descriptors.
  std::map<std::string, unsigned> program_ids_;
  NodeCidrMap node_cidrs_;
  EndpointMap endpoints_;
  PodIfaceMap pod_ifaces_;
  TunnelPeerMap tunnel_peers_;
  NodeConfigMap node_config_;
  std::string no_conntrack_reason_;
};

}  // namespace kubecni
