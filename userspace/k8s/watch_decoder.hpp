#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// One event of a Kubernetes watch.
struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark, kError };
  Type type;
  nlohmann::json object;  ///< the Node; with kError a `v1 Status`
};

/// Cuts the byte stream of a watch into its events, one JSON text per line.
class WatchDecoder {
 public:
  explicit WatchDecoder(std::size_t max_line_bytes = std::size_t{16} << 20)
      : max_line_bytes_(max_line_bytes) {}

  /// The events that `bytes` complete; the rest waits for more.
  /// Errors: EBADMSG not JSON or no watch event; EMSGSIZE a line over the limit.
  /// The stream is unusable after an error.
  Result<std::vector<WatchEvent>> feed(std::string_view bytes);

 private:
  std::size_t max_line_bytes_;
  std::string partial_line_;
};

}  // namespace kubecni
