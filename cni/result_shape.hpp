#pragma once

#include "base/result.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

// The result of ADD has another shape in each era of the specification (its
// section 5). Inside kube-cni there is one: that of 1.1.0, checked.
namespace kubecni {

/// `result` of any version, as a runtime or another plugin gives it, in the shape
/// of 1.1.0: "interfaces", "ips" and "routes" are lists, "dns" is an object, each
/// address, gateway and destination can be read, and each index fits. Keys that
/// 1.1.0 does not know are left out at the top, and kept below.
/// Errors: EINVAL it is no such result, saying where.
Result<nlohmann::json> upgrade_result(const nlohmann::json& result);

/// A result in the shape of 1.1.0 as one of `version`, without what that cannot say.
/// Errors: EINVAL versions before 0.3.0 need an address.
Result<nlohmann::json> result_for_version(nlohmann::json result, std::string_view version);

/// The configuration's prevResult in the shape of 1.1.0; an empty one when there is
/// none. Errors: code 7 it is no result.
CniResult<nlohmann::json> previous_result(const NetConf& conf, const std::string& verb);

}  // namespace kubecni
