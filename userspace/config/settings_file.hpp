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

/// The key of the settings file that is no option, but an object of its own.
inline constexpr std::string_view kCniSection = "cni";

/// What is wrong with a settings file, a sentence for each mistake.
using Problems = std::vector<std::string>;

/// The settings of `text`, the content of a file. Errors: EINVAL empty, no JSON object,
/// with line and column, or a key that is given twice.
Result<nlohmann::json> parse_settings(std::string_view text);

/// Gives each option of `app` that the command line did not set what `settings` have for
/// it: `--vxlan-port` is the key "vxlanPort", a number; an option that may be repeated is a
/// list. `app` has an option for each setting of the daemon in kSettings. What kCniSection holds is
/// not looked at. Result: every unknown key, every value of a wrong type, and every value that the
/// option refuses.
Problems apply_settings(const nlohmann::json& settings, CLI::App& app);

/// " (did you mean "mtu"?)" where one of `known` is nearly `word`; else nothing.
std::string hint_for(const std::string& word, const std::vector<std::string>& known);

}  // namespace kubecni
