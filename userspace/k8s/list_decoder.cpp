#include "k8s/list_decoder.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

constexpr unsigned kItemDepth = 2;  // the list's brace, and the bracket of its items
constexpr std::string_view kSpace = " \t\r\n";

std::string_view without_space_behind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

}  // namespace

Result<std::vector<nlohmann::json>> ListDecoder::feed(std::string_view bytes) {
  std::vector<nlohmann::json> items;
  while (!bytes.empty()) {
    const std::size_t taken = take_text(bytes);
    if (taken == 0) step(bytes.front());
    bytes.remove_prefix(std::max<std::size_t>(taken, 1));
    if (item_.size() > max_item_bytes_ || list_.size() > max_item_bytes_)
      return failure(EMSGSIZE,
                     "list: an item over " + std::to_string(max_item_bytes_) + " bytes long");
    if (!std::exchange(item_done_, false)) continue;
    auto item = pick_fields(item_, kept_);
    if (!item) return failure(EBADMSG, "item of a list: " + item.error().what);
    items.push_back(std::move(*item));
    item_.clear();
  }
  return items;
}

/// Takes the inside of a string, up to the next byte that step() has to see. Result: how much.
std::size_t ListDecoder::take_text(std::string_view bytes) {
  if (!in_string_ || is_escaped_) return 0;
  const std::size_t end = std::min(bytes.find_first_of("\"\\"), bytes.size());
  (in_item_ ? item_ : list_) += bytes.substr(0, end);
  return end;
}

/// Follows strings and nesting; the JSON parser reports other errors.
void ListDecoder::step(char c) {
  const bool in_string = in_string_;
  if (in_string) {
    in_string_ = is_escaped_ || c != '"';
    is_escaped_ = !is_escaped_ && c == '\\';
  } else if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    if (c == '{' && in_items_ && depth_ == kItemDepth) in_item_ = true;
    if (c == '[' && is_items_array()) in_items_ = true;
    ++depth_;
  } else if ((c == '}' || c == ']') && depth_ > 0) {
    --depth_;
    if (depth_ < kItemDepth) in_items_ = false;
  }
  const bool separates_items = c == ',' && !in_string && in_items_ && depth_ == kItemDepth;
  if (in_item_)
    item_ += c;
  else if (!separates_items)
    list_ += c;
  item_done_ = in_item_ && !in_string && depth_ == kItemDepth;
  if (item_done_) in_item_ = false;
}

/// Whether a bracket at this place opens the member `items` of the list.
bool ListDecoder::is_items_array() const {
  if (depth_ != 1) return false;
  auto before = without_space_behind(list_);
  if (!before.ends_with(':')) return false;
  before.remove_suffix(1);
  return without_space_behind(before).ends_with("\"items\"");
}

Result<nlohmann::json> ListDecoder::finish() const {
  auto list = in_item_ ? failure(EINVAL, "it ends inside an item") : parse_json(list_);
  if (!list) return failure(EBADMSG, "list: " + list.error().what);
  return list;
}

}  // namespace kubecni
