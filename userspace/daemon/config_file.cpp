#include "daemon/config_file.hpp"

#include "base/json.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <numeric>
#include <optional>
#include <set>

namespace kubecni {

using nlohmann::json;

namespace {

/// The first key that an object has twice: the parser would take the last one.
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

/// "vxlanPort" of "vxlan-port".
std::string key_of(const CLI::Option& option) {
  std::string key;
  bool upper = false;
  for (const char c : option.get_lnames().front()) {
    if (c != '-') key += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '-';
  }
  return key;
}

/// The options that may stand in the file, by their keys.
std::map<std::string, CLI::Option*> settable_options(CLI::App& app) {
  std::map<std::string, CLI::Option*> options;
  for (CLI::Option* option : app.get_options())
    if (option->get_configurable() && !option->get_lnames().empty())
      options.emplace(key_of(*option), option);
  return options;
}

std::string not_allowed(const std::string& key, const json& value, const std::string& wanted) {
  return "\"" + key + "\": " + shown(value) + " is not " + wanted;
}

enum class Kind { kText, kNumber, kFlag };

Kind kind_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.starts_with("BOOLEAN") || option.get_items_expected_max() == 0) return Kind::kFlag;
  return type.starts_with("UINT") || type.starts_with("INT") ? Kind::kNumber : Kind::kText;
}

const char* name_of(Kind kind) {
  if (kind == Kind::kFlag) return "true or false, without quotes";
  return kind == Kind::kNumber ? "a whole number, without quotes" : "a text in quotes";
}

/// The word of the command line that says the same; empty when the type is another.
std::optional<std::string> word_of(const json& value, Kind kind) {
  if (kind == Kind::kFlag && value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (kind == Kind::kNumber && value.is_number_integer()) return value.dump();
  if (kind == Kind::kText && value.is_string()) return value.get<std::string>();
  return std::nullopt;
}

/// What the option takes, as `--help` has it after its type; empty when that is not said.
std::string allowed_by(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto colon = type.find(':');
  return colon == std::string::npos ? "" : type.substr(colon + 1);
}

/// Result: what is wrong with the value; empty when the option took it.
std::string give(CLI::Option& option, const std::string& key, const json& value) {
  const Kind kind = kind_of(option);
  const bool takes_many = option.get_items_expected_max() > 1;
  if (takes_many && !value.is_array())
    return not_allowed(key, value, std::string("a list, each of it ") + name_of(kind));
  std::vector<std::string> words;
  for (const json& entry : takes_many ? value : json::array({value})) {
    auto word = word_of(entry, kind);
    if (!word) return not_allowed(key, entry, name_of(kind));
    words.push_back(std::move(*word));
  }
  if (words.empty()) return "";
  try {
    option.add_result(std::move(words));
    option.run_callback();
  } catch (const CLI::ParseError& error) {
    const std::string allowed = allowed_by(option);
    if (allowed.empty()) return "\"" + key + "\": " + error.what();
    return not_allowed(key, value, "allowed; it may be: " + allowed);
  }
  return "";
}

/// How many letters have to be put in, taken out or replaced (Levenshtein).
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
  constexpr std::size_t kMaxLength = 64;  // the longer ones are no slips of a finger
  constexpr std::size_t kMaxDistance = 3;
  if (word.size() > kMaxLength) return "";
  const auto away = [&](const std::string& candidate) { return distance(word, candidate); };
  const auto nearest = std::ranges::min_element(known, {}, away);
  if (nearest == known.end() || away(*nearest) > std::min(kMaxDistance, word.size() / 2)) return "";
  return " (did you mean \"" + *nearest + "\"?)";
}

Result<json> parse_settings(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return failure(EINVAL, "the file is empty; without settings it has to be {}");
  auto settings = parse_json(text);
  if (!settings) return settings;
  if (!settings->is_object())
    return failure(EINVAL, shown(*settings) + " is no JSON object like {\"routing\": \"vxlan\"}");
  if (const auto key = find_repeated_key(text))
    return failure(EINVAL, "\"" + *key + "\" is given twice in one object");
  return settings;
}

Problems apply_settings(const json& settings, CLI::App& app) {
  const auto options = settable_options(app);
  std::vector<std::string> known{std::string(kCniSection)};
  for (const auto& [key, option] : options) known.push_back(key);
  Problems problems;
  for (const auto& [key, value] : settings.items()) {
    if (key == kCniSection) continue;
    const auto option = options.find(key);
    std::string problem;
    if (option == options.end())
      problem = "\"" + key + "\" is no setting" + hint_for(key, known);
    else if (option->second->count() == 0)
      problem = give(*option->second, key, value);
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace kubecni
