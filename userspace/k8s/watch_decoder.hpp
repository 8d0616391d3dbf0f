#pragma once

#include "base/result.hpp"
#include "k8s/object_fields.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// One event of a Kubernetes watch.
struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark, kError };
  Type type;
  nlohmann::json object;  ///< its kept fields; with kError a `v1 Status`
};

/// Cuts the byte stream of a watch into its events, one JSON text per line.
class WatchDecoder {
 public:
  /// Keeps `kept` of each object, by default all.
  explicit WatchDecoder(std::size_t max_line_bytes = std::size_t{16} << 20,
                        const ObjectFields& kept = {});

  /// The events that `bytes` complete; keeps the rest for later.
  /// Errors: EBADMSG not JSON or no watch event; EMSGSIZE a line over the limit. The stream is
  /// unusable after an error.
  Result<std::vector<WatchEvent>> feed(std::string_view bytes);

 private:
  [[nodiscard]] Result<WatchEvent> decode(std::string_view line) const;

  std::size_t max_line_bytes_;
  ObjectFields fields_;  ///< of an event
  std::string partial_line_;
};

}  // namespace kubecni
