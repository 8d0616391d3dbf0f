#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <string_view>

namespace kubecni {

/// What kube-cnid wrote to <run dir>/status.json. Every key that it writes is
/// there with its type, so that whoever shows it need not look.
/// Errors: EBADMSG damaged, naming the key.
Result<nlohmann::json> parse_daemon_report(std::string_view text);

}  // namespace kubecni
