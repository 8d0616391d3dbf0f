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
#include <string>
#include <utility>
#include <vector>

/// For the messages of failed tests.
void PrintTo(kubecni_exit_reason reason, std::ostream* out);

namespace kubecni::test {

// The node of the tests: PodCIDR 192.0.2.0/24, two pods behind a bridge, and a
// NIC, on which there is a node with the PodCIDR 198.51.100.0/24.
inline constexpr const char* kPodA = "192.0.2.10";
inline constexpr const char* kPodB = "192.0.2.20";
inline constexpr const char* kRemotePod = "198.51.100.30";
inline constexpr const char* kRemoteNode = "203.0.113.2";
inline constexpr const char* kOutside = "203.0.113.99";
inline constexpr const char* kGatewayMac = "00:00:5e:00:53:01";
inline constexpr const char* kNicMac = "00:00:5e:00:53:02";
inline constexpr const char* kRemoteNodeMac = "00:00:5e:00:53:03";
inline constexpr const char* kPodAMac = "00:00:5e:00:53:0a";
inline constexpr const char* kPodBMac = "00:00:5e:00:53:0b";
inline constexpr const char* kForeignMac = "00:00:5e:00:53:ff";
inline constexpr unsigned kNicMtu = 1500;
// Those of which eBPF forwards packets.
inline constexpr std::uint8_t kProtocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

/// What a packet brings along beside its bytes.
struct Metadata {
  std::uint32_t mark = 0;
  std::uint32_t gso_size = 0;  ///< payload bytes of each segment that it will be cut into
};

/// What a program made of a packet.
struct Passage {
  int verdict = 0;  ///< TC_ACT_*
  kubecni_exit_reason reason{};
  Frame in;
  Frame out;
  std::uint32_t mark = 0;
};
void PrintTo(const Passage& passage, std::ostream* out);

/// The real programs, loaded once for all tests of the process; each test
/// begins with the node above in the maps.
class BpfTest : public testing::Test {
 protected:
  void SetUp() override;

  /// Runs a program on `frame` as it is at the hook of `device`. Checks that
  /// exactly one exit was counted, with this one packet.
  Passage run(const Hook& hook, const Device& device, const Frame& frame, Metadata metadata = {});
  /// Without the counters and their check: Passage::reason means nothing.
  Passage run_uncounted(const Hook& hook, const Device& device, const Frame& frame,
                        Metadata metadata = {});
  /// The same at the hook's usual device: that of pod A, or the NIC.
  Passage run(const Hook& hook, const Frame& frame, Metadata metadata = {});
  Passage run_uncounted(const Hook& hook, const Frame& frame, Metadata metadata = {});

  /// A packet as it comes to the hook, from and to pods, unless it says otherwise.
  static Frame frame_at(const Hook& hook, Ipv4Packet packet);

  void add_node(const std::string& cidr, kubecni_node_kind kind, unsigned mtu = kNicMtu);
  void remove_node(const std::string& cidr);
  /// Of enum kubecni_endpoint_flags.
  void set_flags(const std::string& pod, __u32 flags);
  void remove_endpoint(const std::string& pod);
  void empty_the_maps();
  /// The maps as each test finds them.
  void reset_the_maps();

  /// The flows that were recorded as the kernel's.
  static std::vector<std::pair<kubecni_flow4, kubecni_flow_state>> kernel_flows();
  static void set_kernel_flow(const kubecni_flow4& flow, const kubecni_flow_state& state);

  static ExitCounts exit_counts();
  static EbpfDataplane& dataplane();
  static const Device& pod_a();
  static const Device& pod_b();
  static const Device& nic();
};

/// The packet went on to the next program and the kernel, with no byte changed.
testing::Matcher<const Passage&> LeftToKernel(kubecni_exit_reason reason);
/// The packet was dropped.
testing::Matcher<const Passage&> Dropped(kubecni_exit_reason reason);
/// The packet was redirected, and is `frame` now.
testing::Matcher<const Passage&> Redirected(kubecni_exit_reason reason, const Frame& frame);

}  // namespace kubecni::test
