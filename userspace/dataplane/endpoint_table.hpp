#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "dataplane/bpf_map.hpp"
#include "dataplane/decision_map.hpp"
#include "dataplane/dual_stack_map.hpp"
#include "dataplane/program.hpp"
#include "kubecni/abi.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kubecni {

using PodIfaceMap = DecisionMap<__u32, kubecni_pod_iface>;
using PacerMap = BpfMap<__u32, kubecni_pacer>;

/// Whether netfilter has to judge what a pod sends and gets.
enum class Policed {
  kNo,
  kYes,
  kAsIs,  ///< whatever its entries say; yes, if they are made anew
};

/// What a queueing discipline limits of a pod's traffic.
enum class Shaped {
  kNothing,
  kReceived,  ///< by a discipline of its host end, through which eBPF sends it
  kSent,      ///< by a pacer, where eBPF sends it to other nodes
  kBoth,      ///< both of these
  kAll,       ///< it has no pacer, or kube-cni does not know what is limited: no redirects
};

/// Whether pods may have pacers.
enum class Pacing {
  kNo,
  kYes,   ///< all ways to other nodes keep departure times
  kAsIs,  ///< whatever the pod's entries say
};

/// The limit that `pacers` has of what a pod sends.
struct Pacer {
  std::uint64_t rate = 0;  ///< bytes per second
  std::chrono::nanoseconds
      burst{};  ///< after a pause, what the rate gives in this time may pass at once
  std::chrono::nanoseconds queue{};  ///< what would have to wait longer is dropped

  bool operator==(const Pacer&) const = default;
};

/// The data of one pod for the eBPF path.
struct PodEndpoint {
  Device host;                    ///< host end of the veth
  unsigned network = 0;           ///< as in kubecni_endpoint4_key
  std::vector<IpAddr> addresses;  ///< of both families
  MacAddr pod_mac;
  MacAddr gateway_mac;
  Shaped shaped = Shaped::kNothing;
  /// Its entries are right with this, too.
  std::optional<Shaped> or_shaped = {};
  Pacer pacer = {};  ///< if one of these says that there is one
  Policed policed = Policed::kNo;
};

/// The pods of this node, by address (`endpoints4`, `endpoints6`) and by interface
/// (`pod_ifaces`, `pacers`).
class EndpointTable {
 public:
  /// Opens what is pinned below `bpffs`. Errors: those of BpfMap::open().
  static Result<EndpointTable> open(const std::filesystem::path& bpffs);

  /// Makes the pod a sender and a redirect target, in this network alone. Its interface is up by
  /// now.
  Result<> add(const PodEndpoint& pod);

  /// Absent entries are fine. `host_ifindex` may be 0 if the interface is gone: then removes those
  /// entries of `addresses` that lead to no interface, since a pod of another network may have the
  /// same addresses. Otherwise `addresses` may be empty, if they are unknown.
  Result<> remove(unsigned host_ifindex, const std::vector<IpAddr>& addresses);

  /// Removes the entries of interfaces that are neither among `links` nor in the kernel any more: a
  /// DEL by a plugin of another schema leaves them. Returns how many interfaces.
  Result<std::size_t> remove_gone(const std::set<unsigned>& links);

  /// Adds to `found` what is wrong with the pod's entries, a phrase each.
  Result<> compare(const PodEndpoint& pod, std::vector<std::string>& found) const;

  /// Whether the maps have any entry of the pod. They have none after they were loaded anew, until
  /// kube-cnid comes by.
  [[nodiscard]] Result<bool> knows(const PodEndpoint& pod) const;

  /// Whether a pacer limits what the pod sends.
  [[nodiscard]] Result<bool> is_paced(unsigned host_ifindex) const;

  /// For tests that inspect or damage them.
  EndpointMap& endpoints() { return endpoints_; }
  PodIfaceMap& pod_ifaces() { return pod_ifaces_; }
  PacerMap& pacers() { return pacers_; }

 private:
  EndpointTable(EndpointMap endpoints, PodIfaceMap pod_ifaces, PacerMap pacers)
      : endpoints_(std::move(endpoints)),
        pod_ifaces_(std::move(pod_ifaces)),
        pacers_(std::move(pacers)) {}

  /// The host ifindexes that the maps have for the addresses, and that no longer exist.
  [[nodiscard]] Result<std::set<unsigned>> find_gone_ifaces(
      const std::vector<IpAddr>& addresses) const;
  /// Removes the interface from the maps.
  Result<> erase_pod(unsigned host_ifindex, const std::vector<IpAddr>& addresses);
  /// The same, without its pacer.
  Result<> erase_ends(unsigned host_ifindex, const std::vector<IpAddr>& addresses);
  Result<> erase_endpoint(const EndpointKey& key, unsigned host_ifindex);
  Result<> erase_endpoints_of(unsigned host_ifindex);
  /// What `pacers` has of the pod's limit.
  [[nodiscard]] Result<std::optional<Pacer>> find_pacer(unsigned host_ifindex) const;
  Result<> set_pacer(const PodEndpoint& pod);
  Result<> compare_endpoint(const PodEndpoint& pod, const IpAddr& address,
                            std::vector<std::string>& found) const;

  EndpointMap endpoints_;
  PodIfaceMap pod_ifaces_;
  PacerMap pacers_;
};

}  // namespace kubecni
