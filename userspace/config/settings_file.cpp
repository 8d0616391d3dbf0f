#include "config/settings_file.hpp"

#include "base/json.hpp"
#include "config/check.hpp"
#include "config/settings.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

namespace kubecni {

using nlohmann::json;

namespace {

/// The first key that an object has twice; the parser would silently use the last value.
std::optional<std::string> find_repeated_key(std::string_view text) {
  std::vector<std::set<std::string>> open_objects;
  std::optional<std::string> repeated;
  const auto look = [&](int, json::parse_event_t event, const json& value) {
    if (event == json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects.pop_back();
    if (event == json::parse_event_t::key && !open_objects.back().insert(value).second)
      repeated = repeated.value_or(value.get<std::string>());
    return true;
  };
  [[maybe_unused]] const json parsed = json::parse(text, look, false);
  return repeated;
}

const Setting* find_daemon_setting(const std::string& key) {
  const auto* found = std::ranges::find_if(kSettings, [&](const Setting& setting) {
    return is_of_daemon(setting) && setting.key == key;
  });
  return found == kSettings.end() ? nullptr : found;
}

/// The keys that the file may have, for hints.
std::vector<std::string> known_keys() {
  std::vector<std::string> keys{std::string(kCniSection)};
  for (const Setting& setting : kSettings)
    if (is_of_daemon(setting)) keys.emplace_back(setting.key);
  return keys;
}

const char* name_of(Type type) {
  if (type == Type::kFlag) return "true or false, without quotes";
  return type == Type::kNumber ? "a whole number, without quotes" : "a text in quotes";
}

/// The value as a word of the command line; empty if it is of another type.
std::optional<std::string> word_of(const json& value, Type type) {
  if (type == Type::kFlag && value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (type == Type::kNumber && value.is_number_integer()) return value.dump();
  const bool is_text = type != Type::kFlag && type != Type::kNumber;
  if (is_text && value.is_string()) return value.get<std::string>();
  return std::nullopt;
}

/// The values that the option accepts, as `--help` shows them after the type; empty if it shows
/// none.
std::string allowed_by(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto colon = type.find(':');
  return colon == std::string::npos ? "" : type.substr(colon + 1);
}

/// Result: what is wrong with the value; empty if the option took it.
std::string give(CLI::Option& option, const Setting& setting, const json& value) {
  const std::string key(setting.key);
  if (setting.many && !value.is_array())
    return wrong_value_text(key, value,
                            std::string("a list; each entry has to be ") + name_of(setting.type));
  std::vector<std::string> words;
  for (const json& entry : setting.many ? value : json::array({value})) {
    auto word = word_of(entry, setting.type);
    if (!word) return wrong_value_text(key, entry, name_of(setting.type));
    words.push_back(std::move(*word));
  }
  if (words.empty()) return "";
  try {
    option.add_result(std::move(words));
    option.run_callback();
  } catch (const CLI::ParseError& error) {
    const std::string allowed = allowed_by(option);
    if (allowed.empty()) return "\"" + key + "\": " + error.what();
    return wrong_value_text(key, value, "allowed; it may be: " + allowed);
  }
  return "";
}

/// How many letters must be inserted, removed or replaced (Levenshtein).
std::size_t distance(const std::string& from, const std::string& to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string hint_for(const std::string& word, const std::vector<std::string>& known) {
  constexpr std::size_t kMaxLength = 64;  // longer words are not typing errors
  constexpr std::size_t kMaxDistance = 3;
  if (word.size() > kMaxLength) return "";
  const auto away = [&](const std::string& candidate) { return distance(word, candidate); };
  const auto nearest = std::ranges::min_element(known, {}, away);
  if (nearest == known.end() || away(*nearest) > std::min(kMaxDistance, word.size() / 2)) return "";
  return " (did you mean \"" + *nearest + "\"?)";
}

Result<json> parse_settings(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return failure(EINVAL, "the file is empty; a file without settings has to be {}");
  auto settings = parse_json(text);
  if (!settings) return settings;
  if (!settings->is_object())
    return failure(EINVAL,
                   shown(*settings) + " is not a JSON object like {\"routing\": \"vxlan\"}");
  if (const auto key = find_repeated_key(text))
    return failure(EINVAL, "\"" + *key + "\" is given twice in one object");
  return settings;
}

Problems apply_settings(const json& settings, CLI::App& app) {
  Problems problems;
  for (const auto& [key, value] : settings.items()) {
    if (key == kCniSection) continue;
    const Setting* setting = find_daemon_setting(key);
    if (!setting) {
      problems.push_back("\"" + key + "\" is not a setting" + hint_for(key, known_keys()));
      continue;
    }
    CLI::Option* option = app.get_option("--" + option_name(*setting));
    if (option->count() != 0) continue;
    if (auto problem = give(*option, *setting, value); !problem.empty())
      problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace kubecni
