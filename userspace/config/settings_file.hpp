#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace kubecni {

/// The key of the settings file that is not an option, but an object of its own.
inline constexpr std::string_view kCniSection = "cni";

/// What is wrong with a settings file, a sentence for each mistake.
using Problems = std::vector<std::string>;

/// The settings in `text`, the content of a file. Errors: EINVAL empty; not a JSON object, with
/// line and column; or a key is given twice.
Result<nlohmann::json> parse_settings(std::string_view text);

/// Sets each option of `app` that the command line did not set from `settings`: the key
/// "vxlanPort", a number, is `--vxlan-port`; an option that may be repeated is a list. `app` must
/// have an option for each setting of the daemon in kSettings. Ignores what kCniSection holds.
/// Result: every unknown key, every value of a wrong type, and every value that the option refuses.
Problems apply_settings(const nlohmann::json& settings, CLI::App& app);

/// " (did you mean "mtu"?)" if one of `known` is close to `word`; else empty.
std::string hint_for(const std::string& word, const std::vector<std::string>& known);

}  // namespace kubecni
