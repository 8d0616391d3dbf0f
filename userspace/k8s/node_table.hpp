#pragma once

#include "base/result.hpp"
#include "k8s/node.hpp"
#include "k8s/watch_decoder.hpp"

#include <nlohmann/json.hpp>

#include <expected>
#include <map>
#include <string>

namespace kubecni {

/// The nodes as LIST and WATCH tell them. Pure: no I/O.
///
/// begin_list(), then add_item() for what is on a page and end_page(), until the
/// last page; then apply() for each event. A new list replaces the table as one
/// step, when its last page is in.
class NodeTable {
 public:
  /// Forgets the pages of a list that was not finished.
  void begin_list();

  /// Takes one item of a page.
  void add_item(const nlohmann::json& item);

  /// Takes the page itself, a `v1 NodeList` without its items. Result: the
  /// `continue` token for the next page; empty after the last, when the table has
  /// the new content.
  /// Errors: EBADMSG not a NodeList, or without a resourceVersion.
  Result<std::string> end_page(const nlohmann::json& page);

  /// Result: whether snapshot() differs from before.
  /// Errors, after which needs_list() holds: ESTALE the server's history does
  /// not reach back to us (410); EREMOTEIO any other ERROR event.
  Result<bool> apply(const WatchEvent& event);

  /// The server cannot go on from resource_version(): only a list can.
  void expire() { resource_version_.clear(); }

  [[nodiscard]] bool needs_list() const { return resource_version_.empty(); }
  [[nodiscard]] const std::string& resource_version() const { return resource_version_; }
  [[nodiscard]] NodeSnapshot snapshot() const;

 private:
  using Entries = std::map<std::string, std::expected<Node, SkippedNode>>;

  Entries entries_;
  Entries listed_;  ///< the pages so far
  std::string resource_version_;
};

}  // namespace kubecni
