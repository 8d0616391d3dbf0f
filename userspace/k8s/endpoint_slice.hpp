#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// The addresses that the API servers announce.
struct ApiServers {
  std::vector<std::string> addresses;  ///< none if malformed

  bool operator==(const ApiServers&) const = default;
};

/// parse_endpoint_slice() of the kept fields.
ApiServers parse_api_servers(const nlohmann::json& kept);

/// The addresses ("192.0.2.1:6443", "[2001:db8::1]:6443") in the EndpointSlice
/// `default/kubernetes`, where the API servers announce themselves. Leaves out those that are not
/// ready.
/// Errors: EINVAL not JSON; EBADMSG no EndpointSlice with a port "https".
Result<std::vector<std::string>> parse_endpoint_slice(std::string_view text);

}  // namespace kubecni
