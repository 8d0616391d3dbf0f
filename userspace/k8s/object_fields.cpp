#include "k8s/object_fields.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

namespace kubecni {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 100;  // as parse_json()

/// The possible meanings of a byte outside of strings.
enum class Byte : unsigned char { kOther, kQuote, kOpen, kClose };

constexpr std::array<Byte, 256> byte_kinds() {
  std::array<Byte, 256> kinds{};
  kinds['"'] = Byte::kQuote;
  kinds['{'] = kinds['['] = Byte::kOpen;
  kinds['}'] = kinds[']'] = Byte::kClose;
  return kinds;
}
constexpr auto kByteKinds = byte_kinds();

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool ends_literal(char c) { return is_space(c) || c == ',' || c == '}' || c == ']'; }

Byte kind_of(char c) { return kByteKinds[static_cast<unsigned char>(c)]; }

/// Walks through JSON. Every step returns whether it was possible.
class Walk {
 public:
  explicit Walk(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  [[nodiscard]] const char* at() const { return at_; }
  [[nodiscard]] bool is_at(char c) const { return at_ != end_ && *at_ == c; }
  [[nodiscard]] bool is_at_end() const { return at_ == end_; }

  void skip_space() {
    while (at_ != end_ && is_space(*at_)) ++at_;
  }

  bool skip(char c) {
    if (!is_at(c)) return false;
    ++at_;
    return true;
  }

  /// From the opening quote. Most strings have no backslash, so memchr() is enough.
  bool skip_string() {
    const char* begin = ++at_;
    for (;;) {
      const void* quote = std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_));
      if (!quote) return false;
      at_ = static_cast<const char*>(quote) + 1;
      const char* before = at_ - 1;
      while (before != begin && before[-1] == '\\') --before;
      if ((at_ - 1 - before) % 2 == 0) return true;
    }
  }

  bool skip_value() {
    if (at_ == end_) return false;
    if (*at_ == '"') return skip_string();
    if (kind_of(*at_) == Byte::kOpen) return skip_nested();
    const char* begin = at_;
    while (at_ != end_ && !ends_literal(*at_)) ++at_;
    return at_ != begin;
  }

 private:
  /// From the opening bracket.
  bool skip_nested() {
    std::array<char, kMaxDepth> closing;
    std::size_t depth = 0;
    while (at_ != end_) {
      const char c = *at_;
      switch (kind_of(c)) {
        case Byte::kQuote:
          if (!skip_string()) return false;
          continue;
        case Byte::kOpen:
          if (depth == kMaxDepth) return false;
          closing[depth++] = c == '{' ? '}' : ']';
          break;
        case Byte::kClose:
          if (closing[--depth] != c) return false;
          if (depth == 0) return skip(c);
          break;
        case Byte::kOther:
          break;
      }
      ++at_;
    }
    return false;
  }

  const char* at_;
  const char* end_;
};

bool pick_value(Walk& walk, const ObjectFields& fields, json& picked);

/// The name of a member, from its opening quote.
std::optional<std::string> take_name(Walk& walk) {
  const char* begin = walk.at();
  if (!walk.is_at('"') || !walk.skip_string()) return std::nullopt;
  const std::string_view text(begin, static_cast<std::size_t>(walk.at() - begin));
  if (text.find('\\') == std::string_view::npos)
    return std::string(text.substr(1, text.size() - 2));
  auto name = parse_json(text);
  return name ? std::optional(text_of(*name)) : std::nullopt;
}

bool pick_member(Walk& walk, const ObjectFields& fields, json& object) {
  const auto name = take_name(walk);
  if (!name) return false;
  walk.skip_space();
  if (!walk.skip(':')) return false;
  walk.skip_space();
  const auto field = std::ranges::find(fields.inside, *name, &ObjectFields::name);
  if (field == fields.inside.end()) return walk.skip_value();
  return pick_value(walk, *field, object[*name]);
}

bool pick_object(Walk& walk, const ObjectFields& fields, json& object) {
  object = json::object();
  walk.skip('{');
  walk.skip_space();
  if (walk.skip('}')) return true;
  do {
    walk.skip_space();
    if (!pick_member(walk, fields, object)) return false;
    walk.skip_space();
  } while (walk.skip(','));
  return walk.skip('}');
}

bool pick_value(Walk& walk, const ObjectFields& fields, json& picked) {
  if (walk.is_at('{') && !fields.inside.empty()) return pick_object(walk, fields, picked);
  const char* begin = walk.at();
  if (!walk.skip_value()) return false;
  auto value = parse_json({begin, static_cast<std::size_t>(walk.at() - begin)});
  if (value) picked = std::move(*value);
  return value.has_value();
}

void drop_others(json& value, const ObjectFields& fields) {
  if (!value.is_object() || fields.inside.empty()) return;
  json kept = json::object();
  for (const ObjectFields& field : fields.inside) {
    const auto found = value.find(field.name);
    if (found == value.end()) continue;
    drop_others(*found, field);
    kept[field.name] = std::move(*found);
  }
  value = std::move(kept);
}

}  // namespace

ObjectFields ObjectFields::of(const std::vector<std::string_view>& paths) {
  ObjectFields fields;
  for (const std::string_view path : paths) fields.add(path);
  return fields;
}

void ObjectFields::add(std::string_view path) {
  const auto dot = path.find('.');
  const std::string_view first = path.substr(0, dot);
  auto found = std::ranges::find(inside, first, &ObjectFields::name);
  const bool is_new = found == inside.end();
  if (is_new) found = inside.insert(found, ObjectFields{.name = std::string(first)});
  if (dot == std::string_view::npos)
    found->inside.clear();
  else if (is_new || !found->inside.empty())
    found->add(path.substr(dot + 1));
}

Result<json> pick_fields(std::string_view text, const ObjectFields& fields) {
  if (fields.inside.empty()) return parse_json(text);
  Walk walk(text);
  json picked;
  walk.skip_space();
  const bool is_good = pick_value(walk, fields, picked);
  walk.skip_space();
  if (is_good && walk.is_at_end()) return picked;
  // Only the parser can say what is wrong, and where. It may even accept the text: it takes a byte
  // order mark.
  auto whole = parse_json(text);
  if (!whole) return fail(whole);
  drop_others(*whole, fields);
  return whole;
}

std::string metadata_text(const json& object, std::string_view key) {
  return text_of(member(member(object, "metadata"), key));
}

}  // namespace kubecni
