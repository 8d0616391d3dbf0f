#pragma once

#include "base/ip.hpp"
#include "support/packet.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kubecni::test {

/// A host, with an address of each family.
struct Party {
  std::string name;
  std::string mac;
  IpAddr v4;
  IpAddr v6;
};

/// The parties of a hostile pod's messages.
struct Stage {
  Party own;                      ///< the hostile pod
  Party victim;                   ///< to whom it sends; without a bridge, the MAC is the gateway's
  Party bridge;                   ///< the gateway
  std::vector<Party> others;      ///< whom it impersonates, beside the victim and the bridge
  std::vector<std::string> macs;  ///< its source MACs
  /// There is no bridge: only what is routed arrives, put together and with a smaller hop limit.
  bool is_routed = false;
};

/// A message of a pod: a frame, or the fragments of one packet.
struct HostileCase {
  std::string name;  ///< "802.1Q VID 0, NA, atomic fragment, MAC of victim, address of bridge"
  std::vector<Frame> frames;
  bool honest = false;   ///< it may arrive
  bool arrives = false;  ///< it must arrive at the victim
};

/// Every combination of tag, message, header chain, source MAC and source address. Frames of entry
/// `i` carry that number, which number_of() reads.
std::vector<HostileCase> hostile_cases(const Stage& stage);

/// The case number in the frame; empty if there is none. Routers, translation and defragmentation
/// do not change it.
std::optional<std::size_t> number_of(std::span<const std::uint8_t> frame);

}  // namespace kubecni::test
