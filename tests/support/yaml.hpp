#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::test {

/// The documents of a YAML text, parsed as `kubectl` does: quoted scalars are texts, others are
/// numbers, booleans or null if they look like it. Throws if the text is not YAML.
std::vector<nlohmann::json> parse_yaml(const std::string& text);

/// The same for a file, which must exist.
std::vector<nlohmann::json> read_yaml(const std::filesystem::path& path);

/// The document of `kind` called `name`; throws when there is none, or more than one.
nlohmann::json find_object(const std::vector<nlohmann::json>& documents, const std::string& kind,
                           const std::string& name);

}  // namespace kubecni::test
