#pragma once

#include "base/ip.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni::cnicheck {

/// What is wrong with `result` as a success result of CNI `version`: unknown or missing keys,
/// values of a wrong type or form, an index without its interface. Source: SPEC.md of each version,
/// section "Result".
std::vector<std::string> schema_problems(const nlohmann::json& result, const std::string& version);

/// The addresses of a result of any version, in order; skips invalid ones.
std::vector<IpNet> result_addresses(const nlohmann::json& result);

/// The entry of "interfaces" called `ifname` with `sandbox`; null if there is none.
nlohmann::json result_interface(const nlohmann::json& result, const std::string& ifname,
                                const std::string& sandbox);

}  // namespace kubecni::cnicheck
