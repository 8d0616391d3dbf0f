#pragma once

#include "base/result.hpp"

#include <string>

namespace kubecni::bench {

/// Runs a script of sh(1), which ends at the first command that fails, in the calling thread's
/// namespaces. Errors: EIO a command failed; ETIMEDOUT it took more than a minute.
Result<> run_script(const std::string& script);

}  // namespace kubecni::bench
