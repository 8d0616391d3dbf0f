#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// Where the API servers say they are.
struct ApiServers {
  std::vector<std::string> addresses;  ///< none when what they say is malformed

  bool operator==(const ApiServers&) const = default;
};

/// parse_endpoint_slice() of what is kept of one.
ApiServers parse_api_servers(const nlohmann::json& kept);

/// The addresses ("192.0.2.1:6443", "[2001:db8::1]:6443") of the EndpointSlice
/// `default/kubernetes`, in which the API servers write where they are. Those
/// that are not ready are left out.
/// Errors: EINVAL not JSON; EBADMSG no EndpointSlice with a port "https".
Result<std::vector<std::string>> parse_endpoint_slice(std::string_view text);

}  // namespace kubecni
