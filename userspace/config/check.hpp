#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "config/setting.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// `"mtu": 12 is not <wanted>`.
std::string wrong_value_text(std::string_view key, const nlohmann::json& value,
                             std::string_view wanted);

/// Why `value` is not valid for `setting` of the network configuration; empty if it is valid.
std::string problem_of(const Setting& setting, const nlohmann::json& value);

/// Why `name` is not a valid network name; empty if it is valid.
std::string problem_of_name(const nlohmann::json& name);

/// A network in CIDR notation without host bits. Errors: EINVAL, naming `key`.
Result<IpNet> read_cidr(const std::string& key, const nlohmann::json& value);

/// The words of Setting::allowed.
std::vector<std::string> words_of(const Setting& setting);

}  // namespace kubecni
