#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace kubecni {

/// The number of a `v1.Protocol`: TCP, UDP or SCTP; null is TCP. Empty: any other one.
std::optional<std::uint8_t> protocol_in(const nlohmann::json& value);

/// "tcp", "udp", "sctp", or the number.
std::string protocol_name(std::uint8_t protocol);

}  // namespace kubecni
