#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/unique_fd.hpp"
#include "support/pod.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kubecni::test {

inline constexpr std::uint16_t kVxlanPort = 8472;

/// The fields of a frame's headers.
struct FrameHeaders {
  MacAddr dst_mac;
  MacAddr src_mac;
  std::uint16_t ethertype = 0;
  IpAddr src;  ///< IPv4 and IPv6 only, like all that follows
  IpAddr dst;
  std::uint8_t protocol = 0;  ///< of IPv6: the next header
  std::uint8_t ttl = 0;
  std::uint16_t src_port = 0;  ///< of TCP and UDP
  std::uint16_t dst_port = 0;
  std::uint16_t udp_checksum = 0;

  [[nodiscard]] std::string str() const;
};

/// Reads the headers; empty if there is not even an Ethernet header.
std::optional<FrameHeaders> parse_frame(std::span<const std::uint8_t> frame);

/// A frame on the wire, with what is in it if it is a VXLAN packet.
struct WireFrame {
  FrameHeaders outer;
  std::uint32_t vni = 0;
  std::optional<FrameHeaders> inner;
  std::vector<std::uint8_t> bytes;  ///< the first 2 KiB

  [[nodiscard]] std::string str() const;
};

/// Records the frames that a device sends and receives, from its construction on.
class Capture {
 public:
  /// Captures on the device `name` in the namespace of the calling thread, or in `netns`. Treats
  /// UDP to `vxlan_port` as VXLAN.
  explicit Capture(const std::string& name, std::uint16_t vxlan_port = kVxlanPort);
  Capture(const NetNs& netns, const std::string& name, std::uint16_t vxlan_port = kVxlanPort);

  /// All so far. Throws if some were lost.
  const std::vector<WireFrame>& frames();
  /// Those of them with the pod's address as source or destination, not in a tunnel.
  std::vector<WireFrame> plain(const IpAddr& pod);
  /// Those in a tunnel with the pod's address as source or destination inside.
  std::vector<WireFrame> tunnelled(const IpAddr& pod);

 private:
  UniqueFd socket_;
  std::uint16_t vxlan_port_;
  std::vector<WireFrame> frames_;
};

/// Sends the bytes unchanged through the device `name` of the namespace.
void send_frame(const NetNs& netns, const std::string& name, std::span<const std::uint8_t> frame);

}  // namespace kubecni::test
