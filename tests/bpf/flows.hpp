#pragma once

#include "conntrack.hpp"

#include <linux/pkt_cls.h>

#include <cstdint>
#include <vector>

namespace kubecni::test {

inline constexpr std::uint64_t kSecond = 1'000'000'000;
/// The protocols that conntrack can be asked about.
inline constexpr std::uint8_t kAskable[] = {IPPROTO_TCP, IPPROTO_UDP};

/// A flow of pod A, the client, to port 8080 of a pod of another node.
class FlowTest : public BothFamilies {
 protected:
  using BothFamilies::frame_at;
  void SetUp() override;

  Passage client_sends(std::uint8_t protocol);
  Passage server_answers(std::uint8_t protocol);
  /// The kernel path sends what the client sent, to the other node.
  Passage kernel_sends(std::uint8_t protocol);
  static IpPacket request(std::uint8_t protocol);
  static IpPacket answer(std::uint8_t protocol);

  /// Conntrack's entry of the flow: with the client's address for the server.
  static Connection plain(std::uint8_t protocol);
  /// The same with the service's address that the client called.
  static Connection to_service(std::uint8_t protocol);

  /// Of all answers, in the order of their flows.
  static std::vector<unsigned> owners();
  static unsigned generation();
  /// Makes each answer so old.
  static void age_flows(std::uint64_t ns);
};

}  // namespace kubecni::test
