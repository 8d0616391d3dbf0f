#pragma once

#include "base/result.hpp"
#include "k8s/object_fields.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kubecni {

/// Cuts the byte stream of a Kubernetes list into its items, so that memory holds only one at a
/// time: a Node has 10 to 50 kB, and a page hundreds of them.
class ListDecoder {
 public:
  /// Keeps `kept` of each item, by default all.
  explicit ListDecoder(std::size_t max_item_bytes = std::size_t{16} << 20, ObjectFields kept = {})
      : max_item_bytes_(max_item_bytes), kept_(std::move(kept)) {}

  /// The items that `bytes` complete; keeps the rest for later.
  /// Errors: EBADMSG an item is not JSON; EMSGSIZE an item, or everything outside of items, is over
  /// the limit. The stream is unusable after an error.
  Result<std::vector<nlohmann::json>> feed(std::string_view bytes);

  /// At the end of the stream: the list, with `items` empty.
  /// Errors: EBADMSG it is not JSON, or ended too early.
  Result<nlohmann::json> finish() const;

 private:
  std::size_t take_text(std::string_view bytes);
  void step(char c);
  [[nodiscard]] bool is_items_array() const;

  std::size_t max_item_bytes_;
  ObjectFields kept_;
  std::string list_;  ///< what is not in an item
  std::string item_;
  unsigned depth_ = 0;  ///< of brackets and braces
  bool in_string_ = false;
  bool is_escaped_ = false;  ///< the character before was a backslash
  bool in_items_ = false;
  bool in_item_ = false;
  bool item_done_ = false;
};

}  // namespace kubecni
