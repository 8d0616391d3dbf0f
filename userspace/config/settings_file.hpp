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

/// The one key of the settings file that is not an option: an object.
inline constexpr std::string_view kCniSection = "cni";

/// What is wrong with a settings file: a sentence for each mistake.
using Problems = std::vector<std::string>;

/// The settings in `text`, the content of a file. Errors: EINVAL it is empty, is not a JSON object
/// (with line and column), or has a key twice.
Result<nlohmann::json> parse_settings(std::string_view text);

/// Sets options of `app` from `settings`, unless the command line has set them. The key
/// "vxlanPort", a number, is the option `--vxlan-port`; an option that may be repeated is a list.
/// `app` must have an option for each setting of the daemon in kSettings. Ignores kCniSection.
/// Result: every unknown key, every value of a wrong type, and every value that the option refuses.
Problems apply_settings(const nlohmann::json& settings, CLI::App& app);

/// " (did you mean "mtu"?)" if one of `known` is close to `word`; else empty.
std::string hint_for(const std::string& word, const std::vector<std::string>& known);

}  // namespace kubecni
