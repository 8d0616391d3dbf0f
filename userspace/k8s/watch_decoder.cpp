#include "k8s/watch_decoder.hpp"

#include "base/json.hpp"

#include <cerrno>
#include <optional>
#include <utility>

namespace kubecni {

namespace {

constexpr std::size_t kKeptBuffer = std::size_t{128} << 10;

std::optional<WatchEvent::Type> event_type(std::string_view name) {
  using enum WatchEvent::Type;
  static constexpr std::pair<std::string_view, WatchEvent::Type> kTypes[] = {
      {"ADDED", kAdded},       {"MODIFIED", kModified}, {"DELETED", kDeleted},
      {"BOOKMARK", kBookmark}, {"ERROR", kError},
  };
  for (const auto& [known, type] : kTypes)
    if (known == name) return type;
  return std::nullopt;
}

}  // namespace

WatchDecoder::WatchDecoder(std::size_t max_line_bytes, const ObjectFields& kept)
    : max_line_bytes_(max_line_bytes) {
  if (kept.inside.empty()) return;
  ObjectFields object{.name = "object", .inside = kept.inside};
  for (const char* of_status : {"code", "message"}) object.add(of_status);
  fields_.inside = {{.name = "type"}, std::move(object)};
}

Result<WatchEvent> WatchDecoder::decode(std::string_view line) const {
  auto event = pick_fields(line, fields_);
  if (!event) return failure(EBADMSG, "watch event: " + event.error().what);
  const auto type = event_type(text_of(member(*event, "type")));
  if (!type) return failure(EBADMSG, "watch event: unknown type " + shown(member(*event, "type")));
  if (!member(*event, "object").is_object())
    return failure(EBADMSG,
                   "watch event: object is " + shown(member(*event, "object")) + ", not an object");
  return WatchEvent{*type, std::move((*event)["object"])};
}

/// Most lines come in two or three pieces, so the buffer is kept, unless it is large.
Result<std::vector<WatchEvent>> WatchDecoder::feed(std::string_view bytes) {
  std::vector<WatchEvent> events;
  for (;;) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (partial_line_.size() + part.size() > max_line_bytes_)
      return failure(EMSGSIZE,
                     "watch event: over " + std::to_string(max_line_bytes_) + " bytes long");
    if (end == std::string_view::npos || !partial_line_.empty()) partial_line_ += part;
    if (end == std::string_view::npos) return events;

    bytes.remove_prefix(end + 1);
    const std::string_view line = partial_line_.empty() ? part : partial_line_;
    if (!line.empty()) {
      auto event = decode(line);
      if (!event) return fail(event);
      events.push_back(std::move(*event));
    }
    partial_line_.clear();
    if (partial_line_.capacity() > kKeptBuffer) partial_line_.shrink_to_fit();
  }
}

}  // namespace kubecni
