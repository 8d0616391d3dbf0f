#pragma once

#include "base/result.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

// The result of ADD has a different shape in each era of the specification (its section 5).
// kube-cni uses one inside: that of 1.1.0, checked.
namespace kubecni {

/// Converts `result`, of any version, from a runtime or another plugin, to the shape of 1.1.0:
/// "interfaces", "ips" and "routes" are lists, "dns" is an object, each address, gateway and
/// destination can be parsed, and each index is valid. Keys that 1.1.0 does not know are dropped at
/// the top level, and kept below it.
/// Errors: EINVAL it is not such a result, saying where.
Result<nlohmann::json> upgrade_result(const nlohmann::json& result);

/// Converts a result in the shape of 1.1.0 to `version`, without what that cannot express.
/// Errors: EINVAL versions before 0.3.0 need an address.
Result<nlohmann::json> result_for_version(nlohmann::json result, std::string_view version);

/// The configuration's prevResult in the shape of 1.1.0; empty if there is none.
/// Errors: code 7 it is not a result.
CniResult<nlohmann::json> previous_result(const NetConf& conf, const std::string& verb);

}  // namespace kubecni
