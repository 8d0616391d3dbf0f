#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// The addresses ("192.0.2.1:6443", "[2001:db8::1]:6443") of the EndpointSlice
/// `default/kubernetes`, in which the API servers write where they are. Those
/// that are not ready are left out.
/// Errors: EINVAL not JSON; EBADMSG no EndpointSlice with a port "https".
Result<std::vector<std::string>> parse_endpoint_slice(std::string_view text);

}  // namespace kubecni
