#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/bpf_map.hpp"
#include "dataplane/hook.hpp"
#include "kubecni/abi.h"

#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// Where a node's pins are.
///
///   <bpffs>/v1/maps/<map>      the maps of include/kubecni/abi.h, by schema
///   <bpffs>/v1/progs/<program> the programs, for ADD to attach without loading
///   <bpffs>/links/<device>_<program>
struct PinPaths {
  explicit PinPaths(const std::filesystem::path& bpffs);
  std::filesystem::path maps;
  std::filesystem::path progs;
  std::filesystem::path links;
};

using NodeCidrMap = BpfMap<kubecni_cidr4_key, kubecni_node4>;
using EndpointMap = BpfMap<kubecni_addr4, kubecni_endpoint>;
using PodIfaceMap = BpfMap<__u32, kubecni_pod_iface>;

// Loading takes some ten milliseconds; on a slow machine a second.
inline constexpr std::chrono::seconds kLoadTimeout{30};

/// What the eBPF path has to know of one pod.
struct PodEndpoint {
  Device host;                    ///< host end of the veth
  std::vector<IpAddr> addresses;  ///< the programs know those of IPv4
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
  /// pinned ones were others.
  Result<bool> upgrade_programs(const std::filesystem::path& run_dir);

  /// Attaches the pod's programs as attach() does, or brings them up to date.
  Result<AttachKind> attach_pod(const Device& host, AttachKind preferred = AttachKind::kTcx);
  /// Makes the pod a sender and a redirect target. Its interface is up by now.
  Result<> add_endpoint(const PodEndpoint& pod);
  /// Undoes both; what is absent is fine. `host.ifindex` may be 0 when the
  /// interface is gone, and `addresses` empty when nobody knows them any more.
  Result<> remove_pod(const Device& host, const std::vector<IpAddr>& addresses);
  /// What of the pod's state is not as it should be, a phrase each.
  Result<std::vector<std::string>> differences(const PodEndpoint& pod) const;

  Result<AttachKind> attach_wire(const Device& nic);
  Result<> detach_wire(const Device& nic);
  /// Whether both programs are attached, in their pinned version.
  [[nodiscard]] Result<bool> is_wire_attached(const Device& nic) const;
  /// Whether anything of ours is attached as to a wire, in whatever version.
  [[nodiscard]] Result<bool> is_wire_held(const Device& nic) const;

  NodeCidrMap& node_cidrs() { return node_cidrs_; }
  EndpointMap& endpoints() { return endpoints_; }
  PodIfaceMap& pod_ifaces() { return pod_ifaces_; }

 private:
  struct Program {
    UniqueFd fd;
    unsigned id = 0;
  };
  EbpfDataplane(PinPaths pins, NodeCidrMap node_cidrs, EndpointMap endpoints,
                PodIfaceMap pod_ifaces)
      : pins_(std::move(pins)),
        node_cidrs_(std::move(node_cidrs)),
        endpoints_(std::move(endpoints)),
        pod_ifaces_(std::move(pod_ifaces)) {}

  Result<> open_programs();
  /// The host ifindex that the maps have for the address, or 0.
  [[nodiscard]] Result<unsigned> find_iface_of(const IpAddr& address) const;
  Result<> erase_endpoint(const IpAddr& address, unsigned host_ifindex);
  Result<> compare_endpoint(const PodEndpoint& pod, const IpAddr& address,
                            std::vector<std::string>& found) const;
  [[nodiscard]] const Program& program(const Hook& hook) const;
  template <std::size_t N>
  Result<AttachKind> attach_all(const std::array<Hook, N>& hooks, const Device& device,
                                AttachKind preferred);
  template <std::size_t N>
  Result<> detach_all(const std::array<Hook, N>& hooks, const Device& device);

  PinPaths pins_;
  std::map<std::string, Program> programs_;
  NodeCidrMap node_cidrs_;
  EndpointMap endpoints_;
  PodIfaceMap pod_ifaces_;
};

/// The map keys and values of plain types.
kubecni_addr4 to_addr4(const IpAddr& address);
kubecni_cidr4_key to_cidr4_key(const IpNet& cidr);
IpNet to_ip_net(const kubecni_cidr4_key& key);

}  // namespace kubecni
