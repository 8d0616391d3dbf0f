#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "net/nft_table.hpp"

#include <compare>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// Our nftables table for what pods give to the bridge, with its family.
inline constexpr const char* kPodGuardTable = "bridge kube-cni";

/// The same for pods in mode ptp, whose packets meet no bridge.
inline constexpr const char* kRoutedGuardTable = "inet kube-cni-guard";

/// Who a pod is: whatever it says from its port has to be about this.
struct GuardedPod {
  MacAddr mac;
  std::vector<IpAddr> addresses;  ///< of both families; the MAC's link-local one is its own, too
  std::string uplink = {};  ///< the device by which the pod's bridge is in a network; or empty

  auto operator<=>(const GuardedPod&) const = default;
};

/// The pods of a node, by the host end of their veth.
using GuardedPods = std::map<std::string, GuardedPod>;

/// The table that drops and counts what a pod may not send, on every path that meets the
/// bridge: tagged frames, another's MAC or address, ARP, neighbour discovery and ICMP errors
/// about another, what hides such in fragments, queries for multicast listeners, and frames to
/// bridges themselves. What a bridge with an uplink hands to the node itself is dropped, too. It
/// comes before br_netfilter, which puts fragments together. Ports that are not in `pods` pass,
/// since a pod sends before the daemon has seen it.
NftTable plan_pod_guard(const GuardedPods& pods);

/// The same for pods in mode ptp. What is neither IPv4 nor IPv6 reaches nobody but the node, which
/// has permanent neighbours.
NftTable plan_routed_guard(const GuardedPods& pods);

}  // namespace kubecni
