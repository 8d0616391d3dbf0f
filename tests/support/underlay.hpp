#pragma once

#include "support/wire.hpp"

#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

namespace kubecni::test {

enum class Families { kV4, kV6, kDual };

/// AF_INET, AF_INET6, or both in this order.
std::vector<int> list_of(Families families);

/// The network between a cluster's nodes: one or two segments, a router between them, and a host
/// outside of the cluster behind it.
///
///   segment 1  192.0.2.0/24     2001:db8:1::/64     router: .254, ::fe
///   segment 2  198.51.100.0/24  2001:db8:2::/64
///   outside    203.0.113.9      2001:db8:f::9
///
/// The router knows only these networks. It drops and counts packets with a pod's source address,
/// like a cloud's anti-spoofing filter.
class Underlay {
 public:
  Underlay(Families families, unsigned segments);

  /// Gives the node a NIC `eth0` on the segment, with the addresses of `number`, and
  /// default routes to the router. Returns the name of the wire's port.
  std::string connect(const NetNs& node, unsigned segment, unsigned number);

  /// Gives the node one more NIC, `nic`, with the addresses of `number` on the segment, and no
  /// routes but those to the segment.
  std::string connect_also(const NetNs& node, unsigned segment, unsigned number,
                           const std::string& nic);

  /// The address of node `number`, ".number" or "::number".
  static IpAddr address(unsigned segment, unsigned number, int family);
  [[nodiscard]] static IpAddr router_address(unsigned segment, int family);
  [[nodiscard]] static IpAddr outside_address(int family) { return address(kOutside, 9, family); }

  /// How many packets with a pod's source address the router has seen.
  [[nodiscard]] std::uint64_t leaked() const;
  /// Makes the router route the PodCIDR to `node`, and pass pods' packets: the routed underlay for
  /// which `direct` is made.
  void carry(const std::string& pod_cidr, const IpAddr& node) const;

  NetNs router{"router"};
  NetNs outside{"outside"};

 private:
  static constexpr unsigned kOutside = 15;

  void connect_router(Wire& wire, unsigned segment, const std::string& nic) const;

  Families families_;
  std::vector<std::unique_ptr<Wire>> segments_;
  Wire outside_wire_{"ext"};
};

/// The default routes of a namespace on the segment.
void route_by_default(const NetNs& netns, Families families, unsigned segment);

}  // namespace kubecni::test
