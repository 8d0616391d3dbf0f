#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::test {

/// The documents of a YAML text, as what `kubectl` makes of them: quoted scalars are
/// texts, others are numbers, booleans or null where they look like it. Throws when the
/// text is no YAML.
std::vector<nlohmann::json> parse_yaml(const std::string& text);

/// The same of a file, which has to be there.
std::vector<nlohmann::json> read_yaml(const std::filesystem::path& path);

/// The document of `kind` called `name`; throws when there is none, or more than one.
nlohmann::json find_object(const std::vector<nlohmann::json>& documents, const std::string& kind,
                           const std::string& name);

}  // namespace kubecni::test
