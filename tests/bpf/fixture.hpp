#pragma once

#include "base/unique_fd.hpp"
#include "dataplane/counters.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "namespaces.hpp"
#include "support/packet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// For the messages of failed tests.
void PrintTo(kubecni_exit_reason reason, std::ostream* out);

namespace kubecni::test {

/// The tests' addresses of one family. A node has two pods behind a bridge, a NIC to another node,
/// and a tunnel to a third.
struct Family {
  int af;
  const char* name;
  const char* own_cidr;
  const char* pod_a;
  const char* pod_b;
  const char* no_pod;  ///< of this node, without a pod
  const char* remote_cidr;
  const char* remote_pod;
  const char* other_remote_pod;
  const char* remote_node;
  const char* tunnel_cidr;
  const char* tunnel_pod;
  const char* tunnel_node;
  const char* outside;
  const char* none;
  std::size_t ip_header;  ///< bytes
  std::uint8_t echo_request;
  std::uint8_t echo_reply;
  std::uint8_t icmp_error;
};
inline const Family kIpv4{.af = AF_INET,
                          .name = "Ipv4",
                          .own_cidr = "192.0.2.0/24",
                          .pod_a = "192.0.2.10",
                          .pod_b = "192.0.2.20",
                          .no_pod = "192.0.2.99",
                          .remote_cidr = "198.51.100.0/24",
                          .remote_pod = "198.51.100.30",
                          .other_remote_pod = "198.51.100.31",
                          .remote_node = "203.0.113.2",
                          .tunnel_cidr = "198.18.0.0/24",
                          .tunnel_pod = "198.18.0.40",
                          .tunnel_node = "203.0.113.3",
                          .outside = "203.0.113.99",
                          .none = "0.0.0.0",
                          .ip_header = 20,
                          .echo_request = 8,
                          .echo_reply = 0,
                          .icmp_error = 3};
inline const Family kIpv6{.af = AF_INET6,
                          .name = "Ipv6",
                          .own_cidr = "2001:db8:0:1::/64",
                          .pod_a = "2001:db8:0:1::10",
                          .pod_b = "2001:db8:0:1::20",
                          .no_pod = "2001:db8:0:1::99",
                          .remote_cidr = "2001:db8:0:2::/64",
                          .remote_pod = "2001:db8:0:2::30",
                          .other_remote_pod = "2001:db8:0:2::31",
                          .remote_node = "2001:db8:ffff::2",
                          .tunnel_cidr = "2001:db8:0:8::/64",
                          .tunnel_pod = "2001:db8:0:8::40",
                          .tunnel_node = "2001:db8:ffff::3",
                          .outside = "2001:db8:ffff::99",
                          .none = "::",
                          .ip_header = 40,
                          .echo_request = 128,
                          .echo_reply = 129,
                          .icmp_error = 1};
inline const Family& family_of(int af) { return af == AF_INET6 ? kIpv6 : kIpv4; }

// IPv4 addresses, for tests of what only IPv4 has.
inline constexpr const char* kPodA = "192.0.2.10";
inline constexpr const char* kPodB = "192.0.2.20";
inline constexpr const char* kRemotePod = "198.51.100.30";
inline constexpr const char* kOutside = "203.0.113.99";
inline constexpr const char* kGatewayMac = "00:00:5e:00:53:01";
inline constexpr const char* kNicMac = "00:00:5e:00:53:02";
inline constexpr const char* kRemoteNodeMac = "00:00:5e:00:53:03";
inline constexpr const char* kPodAMac = "00:00:5e:00:53:0a";
inline constexpr const char* kPodBMac = "00:00:5e:00:53:0b";
inline constexpr const char* kForeignMac = "00:00:5e:00:53:ff";
inline constexpr const char* kTunnelMac = "00:00:5e:00:53:04";
inline constexpr const char* kRemoteTunnelMac = "00:00:5e:00:53:05";
// The link-local addresses of pods A and B: RFC 4291, appendix A.
inline constexpr const char* kPodALinkLocal = "fe80::200:5eff:fe00:530a";
inline constexpr const char* kPodBLinkLocal = "fe80::200:5eff:fe00:530b";
inline constexpr unsigned kNetwork = 7;  // the ifindex of the bridge that the pods are on
inline constexpr unsigned kVni = 84;
inline constexpr unsigned kNicMtu = 1500;
// The protocols that eBPF forwards.
inline constexpr std::uint8_t kProtocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP};

/// A packet's metadata, besides its bytes.
struct Metadata {
  std::uint32_t mark = 0;
  std::uint32_t priority = 0;
  std::uint32_t gso_size = 0;      ///< payload bytes of each segment that it will be cut into
  unsigned from_ifindex = 0;       ///< the device that it came in by; 0: the node has made it
  std::uint32_t tc_index = 0;      ///< what another program has left there
  std::uint64_t departure_ns = 0;  ///< that its sender has chosen
};

/// The result of a program for a packet.
struct Passage {
  int verdict = 0;  ///< TC_ACT_*
  kubecni_exit_reason reason{};
  Frame in;
  Frame out;
  std::uint32_t mark = 0;
  std::uint32_t priority = 0;
  std::uint64_t departure_ns = 0;  ///< CLOCK_MONOTONIC; 0: it may leave at once
};
void PrintTo(const Passage& passage, std::ostream* out);
void PrintTo(const Family& family, std::ostream* out);

/// One direction of a flow.
struct Flow {
  IpAddr src, dst;
  std::uint16_t src_port = 0, dst_port = 0;
  unsigned place = 0;  ///< of the pod that sends; 0: from outside the node
  std::uint8_t proto = 0;
  auto operator<=>(const Flow&) const = default;
};

/// The real programs, loaded once for all tests of the process. Each test begins with the node
/// above in the maps.
class BpfTest : public testing::Test {
 protected:
  void SetUp() override;

  /// Runs a program on `frame` at the hook of `device`. Checks that exactly one exit was counted,
  /// for this one packet, and that the list allows it for this program with this verdict.
  Passage run(const Program& hook, const Device& device, const Frame& frame,
              Metadata metadata = {});
  /// Without checking the counters: Passage::reason is not valid.
  Passage run_uncounted(const Program& hook, const Device& device, const Frame& frame,
                        Metadata metadata = {});
  /// The same at the hook's usual device: pod A's, or the NIC.
  Passage run(const Program& hook, const Frame& frame, Metadata metadata = {});
  Passage run_uncounted(const Program& hook, const Frame& frame, Metadata metadata = {});

  /// Runs the program `times` times on the same packet, whose TTL may run out. For counters alone.
  static void run_many(const Program& hook, const Frame& frame, int times);
  /// The packets that were dropped between two readings: "DROP_SPOOFED_IP+2 ".
  static std::string drops(const ExitCounts& before, const ExitCounts& after);

  /// A packet as it reaches the hook, from and to pods, unless given otherwise.
  static Frame frame_at(const Program& hook, IpPacket packet);

  void add_node(const std::string& cidr, kubecni_node_kind kind, unsigned mtu = kNicMtu);
  void remove_node(const std::string& cidr);
  /// Sets enum kubecni_endpoint_flags.
  void set_flags(const std::string& pod, __u32 flags);
  /// Limits what pod A sends. Its entries say so, and the NIC keeps departure times.
  void limit_pod_a(const Pacer& pacer, Shaped shaped = Shaped::kSent);
  void remove_endpoint(const std::string& pod);
  /// The pod has that address, too.
  void add_address(const std::string& pod, const IpAddr& address);
  void set_peer(const std::string& address, __u32 vni);
  void empty_the_maps();
  /// The initial maps of each test.
  void reset_the_maps();

  /// The known flows, of both families.
  static std::map<Flow, kubecni_flow_state> flows();
  static void set_flow(const Flow& flow, const kubecni_flow_state& state);

  /// From now to the end of the test, runs the programs for kernels whose conntrack cannot be
  /// asked, with the same maps.
  static void use_programs_without_conntrack();

  static ExitCounts exit_counts();
  static EbpfDataplane& dataplane();
  static std::filesystem::path bpffs();
  static const Device& pod_a();
  static const Device& pod_b();
  static const Device& nic();
  static const Device& tunnel();
};

/// Tests for both families: unless a packet says otherwise, it has the parameter's family and usual
/// addresses.
class BothFamilies : public BpfTest, public testing::WithParamInterface<Family> {
 protected:
  static const Family& family() { return GetParam(); }
  static Frame frame_at(const Program& hook, IpPacket packet) {
    packet.family = family().af;
    return BpfTest::frame_at(hook, packet);
  }
};

inline std::string name_of_family(const testing::TestParamInfo<Family>& info) {
  return info.param.name;
}
#define KUBECNI_FOR_BOTH_FAMILIES(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::Values(kIpv4, kIpv6), name_of_family)

/// The packet went on to the next program and the kernel, with no byte changed.
testing::Matcher<const Passage&> LeftToKernel(kubecni_exit_reason reason);
/// The packet was dropped.
testing::Matcher<const Passage&> Dropped(kubecni_exit_reason reason);
/// The packet was redirected, and is `frame` now.
testing::Matcher<const Passage&> Redirected(kubecni_exit_reason reason, const Frame& frame);

}  // namespace kubecni::test
