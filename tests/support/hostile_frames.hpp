#pragma once

#include "base/ip.hpp"
#include "support/packet.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kubecni::test {

/// Somebody on a bridge, with an address of each family.
struct Party {
  std::string name;
  std::string mac;
  IpAddr v4;
  IpAddr v6;
};

/// Who takes part in what a hostile pod says.
struct Stage {
  Party own;     ///< the hostile pod
  Party victim;  ///< to whom it speaks
  Party bridge;
  std::vector<Party> others;      ///< as whom it speaks, beside the victim and the bridge
  std::vector<std::string> macs;  ///< from which it speaks
};

/// Something that a pod sends: a frame, or the fragments of one packet.
struct HostileCase {
  std::string name;  ///< "802.1Q VID 0, NA, atomic fragment, MAC of victim, address of bridge"
  std::vector<Frame> frames;
  bool honest = false;   ///< it may arrive
  bool arrives = false;  ///< it has to, at the victim
};

/// Every combination of tag, message, header chain, source MAC and source address. The frames
/// of number `i` of the list bear that number, which number_of() finds again.
std::vector<HostileCase> hostile_cases(const Stage& stage);

/// The number of the case that the frame is of; empty if it is of none. Routers, translation
/// and defragmentation leave it alone.
std::optional<std::size_t> number_of(std::span<const std::uint8_t> frame);

}  // namespace kubecni::test
