#pragma once

#include "base/result.hpp"

#include <string>

namespace kubecni {

/// Makes `value` the setting `name` ("net/ipv4/ip_forward") of the network
/// namespace of the calling thread, writing only when it differs.
/// Returns whether it had to be written.
/// Errors: ENOENT this kernel has no such setting; EROFS /proc/sys is read-only.
Result<bool> ensure_sysctl(const std::string& name, const std::string& value);

}  // namespace kubecni
