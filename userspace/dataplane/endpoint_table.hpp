#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "dataplane/bpf_map.hpp"
#include "dataplane/dual_stack_map.hpp"
#include "dataplane/program.hpp"
#include "kubecni/abi.h"

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace kubecni {

using PodIfaceMap = BpfMap<__u32, kubecni_pod_iface>;

/// What the eBPF path has to know of one pod.
struct PodEndpoint {
  Device host;                    ///< host end of the veth
  unsigned network = 0;           ///< ifindex of the bridge that `host` is a port of
  std::vector<IpAddr> addresses;  ///< of both families
  MacAddr pod_mac;
  MacAddr gateway_mac;
  bool shaped = false;  ///< a queueing discipline works on its traffic: no redirects
};

/// The pods of this node, by address (`endpoints4`, `endpoints6`) and by interface
/// (`pod_ifaces`).
class EndpointTable {
 public:
  /// Opens what is pinned below `bpffs`. Errors: those of BpfMap::open().
  static Result<EndpointTable> open(const std::filesystem::path& bpffs);

  /// Makes the pod a sender and a redirect target, in this network and no other any
  /// more. Its interface is up by now.
  Result<> add(const PodEndpoint& pod);

  /// What is absent is fine. `host_ifindex` may be 0 when the interface is gone: then
  /// `addresses` are removed from what leads to no interface, since a pod of another
  /// network may have the same. Otherwise they may be empty, when nobody knows them any
  /// more.
  Result<> remove(unsigned host_ifindex, const std::vector<IpAddr>& addresses);

  /// Removes the entries of interfaces that are not among `links` and not in the kernel by
  /// now, as a DEL by a plugin of another schema leaves them. Returns how many interfaces.
  Result<std::size_t> remove_gone(const std::set<unsigned>& links);

  /// Adds to `found` what of the pod's entries is not as it should be, a phrase each.
  Result<> compare(const PodEndpoint& pod, std::vector<std::string>& found) const;

  /// For whoever looks into them, or damages them.
  EndpointMap& endpoints() { return endpoints_; }
  PodIfaceMap& pod_ifaces() { return pod_ifaces_; }

 private:
  EndpointTable(EndpointMap endpoints, PodIfaceMap pod_ifaces)
      : endpoints_(std::move(endpoints)), pod_ifaces_(std::move(pod_ifaces)) {}

  /// The host ifindexes that the maps have for the addresses, and the kernel has not.
  [[nodiscard]] Result<std::set<unsigned>> find_gone_ifaces(
      const std::vector<IpAddr>& addresses) const;
  /// Takes the interface out of the maps.
  Result<> erase_pod(unsigned host_ifindex, const std::vector<IpAddr>& addresses);
  Result<> erase_endpoint(const EndpointKey& key, unsigned host_ifindex);
  Result<> erase_endpoints_of(unsigned host_ifindex);
  Result<> compare_endpoint(const PodEndpoint& pod, const IpAddr& address,
                            std::vector<std::string>& found) const;

  EndpointMap endpoints_;
  PodIfaceMap pod_ifaces_;
};

}  // namespace kubecni
