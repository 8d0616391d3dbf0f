#pragma once

#include "base/result.hpp"

#include <string>

namespace kubecni {

/// Makes `value` the setting `name` ("net/ipv4/ip_forward") of the network
/// namespace of the calling thread, writing only when it differs; in a container
/// with a read-only /proc/sys, by way of /host/proc/sys.
/// Returns whether it had to be written.
/// Errors: ENOENT this kernel has no such setting; EROFS /proc/sys is read-only, and
/// there is no other way.
Result<bool> ensure_sysctl(const std::string& name, const std::string& value);

}  // namespace kubecni
