#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/counters.hpp"
#include "dataplane/ebpf_dataplane.hpp"

#include <string>

namespace kubecni::bench {

/// The addresses of one family that the walks use.
struct WalkAddresses {
  const char* name;
  const char *own_cidr, *pod_a, *pod_b, *shaped_pod;
  const char *direct_cidr, *direct_pod, *direct_node;
  const char *tunnel_cidr, *tunnel_pod, *tunnel_node;
  const char *wrapped_cidr, *wrapped_pod;  ///< of a node for which from_pod makes the outer header
  const char *own_node, *outside;
};
inline constexpr WalkAddresses kWalkAddresses[] = {
    {"IPv4", "192.0.2.0/24", "192.0.2.10", "192.0.2.20", "192.0.2.30", "198.51.100.0/24",
     "198.51.100.10", "203.0.113.2", "198.18.0.0/24", "198.18.0.10", "203.0.113.3", "198.18.1.0/24",
     "198.18.1.10", "203.0.113.1", "203.0.113.99"},
    {"IPv6", "2001:db8:0:1::/64", "2001:db8:0:1::10", "2001:db8:0:1::20", "2001:db8:0:1::30",
     "2001:db8:0:2::/64", "2001:db8:0:2::10", "2001:db8:ffff::2", "2001:db8:0:8::/64",
     "2001:db8:0:8::10", "2001:db8:ffff::3", "2001:db8:0:9::/64", "2001:db8:0:9::10",
     "2001:db8:ffff::1", "2001:db8:ffff::99"}};
inline constexpr std::uint16_t kServicePort = 80, kBackendPort = 8080;

// A program runs many times on the same packet, and must find it as it was. So the MACs that
// from_pod writes for the tunnel, and from_wire for a pod, are those that they look for.
inline constexpr const char* kGatewayMac = "00:00:5e:00:53:01";
inline constexpr const char* kNicMac = "00:00:5e:00:53:02";
inline constexpr const char* kPodAMac = "00:00:5e:00:53:0a";
inline constexpr const char* kPodBMac = "00:00:5e:00:53:0b";
inline constexpr unsigned kWalkVni = 84;

/// A node whose maps know three pods, a node that is reached directly, and two behind the tunnel:
/// for one of them the programs make the outer header, for the other the tunnel device.
/// Nothing is attached. In the calling thread's network namespace, with pins below /sys/fs/bpf.
class ProgNode {
 public:
  /// `more_nodes`: PodCIDRs of each family that only fill the maps. Errors: those of
  /// EbpfDataplane::open(), and of making links.
  static Result<ProgNode> create(unsigned more_nodes);

  /// Makes conntrack translate what pod A sends from its UDP port `port` to `outside`, the address
  /// of a service, so that it reaches `backend`.
  static Result<> translate(const WalkAddresses& at, std::uint16_t port, const char* backend);
  [[nodiscard]] Result<UniqueFd> open_program(const std::string& name) const;
  [[nodiscard]] Result<ExitCounts> exit_counts() const;
  /// The device of a program: "pod_a" for from_pod and to_pod, "nic", "tunnel".
  [[nodiscard]] const Device& device_of(const std::string& program) const;

 private:
  explicit ProgNode(EbpfDataplane dataplane) : dataplane_(std::move(dataplane)) {}
  Result<> make_devices();
  static Result<> make_ways();
  Result<> fill_maps(const WalkAddresses& at);
  Result<> add_nodes(unsigned count);
  Result<> add_pods();

  EbpfDataplane dataplane_;
  Device pod_a_, pod_b_, shaped_pod_, nic_, tunnel_;
};

}  // namespace kubecni::bench
