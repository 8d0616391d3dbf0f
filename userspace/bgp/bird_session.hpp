#pragma once

#include "bgp/bird_client.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// What BIRD says of one protocol.
struct BirdProtocol {
  std::string name;
  std::string kind;   ///< "BGP"
  std::string state;  ///< "up", "start" or "down"
  std::string info;   ///< "Established", "Active        Socket: Connection refused"

  bool operator==(const BirdProtocol&) const = default;
};

/// The rows of the answer to "show protocols". Pure.
std::vector<BirdProtocol> protocols_in(const std::vector<BirdLine>& answer);

/// The state of a session for people: "Established", "Active: Connection refused". Pure.
std::string session_state(const BirdProtocol& protocol);

/// Whether another program has the port that BIRD has to listen on. Pure.
bool lacks_port(const BirdProtocol& protocol);

}  // namespace kubecni
