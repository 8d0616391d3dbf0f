#pragma once

#include "base/result.hpp"
#include "k8s/delta_news.hpp"
#include "k8s/kind.hpp"
#include "k8s/node_source.hpp"
#include "k8s/object_fields.hpp"
#include "k8s/watch_decoder.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The part of an Informer without its type: it takes the results of LIST and WATCH in order, and
/// knows where the next watch begins. No I/O.
///
/// Call begin_list(); add_item() and end_page() for each page; then apply() for each event. A new
/// list replaces the old content in one step, when its last page is in.
class AnyInformer {
 public:
  using Clock = std::chrono::steady_clock;

  AnyInformer(const AnyInformer&) = delete;
  AnyInformer& operator=(const AnyInformer&) = delete;
  virtual ~AnyInformer() = default;

  // For readers of the objects, on any thread.

  /// Is readable while take() has something.
  [[nodiscard]] int fd() const { return news_.fd(); }
  /// The changes since the last call, or the error that keeps us from knowing. The first call
  /// reports all as added. No deltas: an error is over.
  std::optional<Result<std::vector<Delta>>> take() { return news_.take(); }
  [[nodiscard]] SourceStatus status() const;

  // For the thread that watches.

  [[nodiscard]] const KindSource& source() const { return source_; }
  [[nodiscard]] const ObjectFields& kept() const { return kept_; }

  /// From `at` on, or from an earlier call's, nothing is listed or watched, and what is known is
  /// forgotten, until release(). To be called before the thread starts, or on it.
  void hold(Clock::time_point at = {}) { held_from_ = std::min(held_from_, at); }
  void release() { held_from_ = Clock::time_point::max(); }
  /// max(): it is not held.
  [[nodiscard]] Clock::time_point held_from() const { return held_from_; }
  /// As if nothing had been asked. Readers are not told.
  void forget();

  /// Discards the pages of an unfinished list.
  void begin_list() { forget_listed(); }
  /// Takes the kept fields of one item of a page.
  void add_item(const nlohmann::json& item);
  /// Takes the page itself, a list without its items. Result: the `continue` token for the next
  /// page; empty after the last, when the new content is complete.
  /// Errors: EBADMSG not a list of this kind, or without a resourceVersion.
  Result<std::string> end_page(const nlohmann::json& page);

  /// Result: whether anything changed.
  /// Errors, after which needs_list() is true: ESTALE the server's history does not reach back far
  /// enough (410); EREMOTEIO any other ERROR event.
  Result<bool> apply(const WatchEvent& event);

  /// The server cannot continue from resource_version(): only a list helps.
  void expire() { resource_version_.clear(); }
  [[nodiscard]] bool needs_list() const { return resource_version_.empty(); }
  [[nodiscard]] const std::string& resource_version() const { return resource_version_; }

  /// The server sent a piece of a 2xx answer.
  void heard() { last_heard_ = Clock::now(); }
  /// A watch is open, or has failed (a regular end is no failure). An open watch ends an error.
  void set_connected(bool is_connected);
  void failed(Error error) { news_.post(std::move(error)); }

 protected:
  AnyInformer(KindSource source, DeltaNews news);

 private:
  virtual void forget_listed() = 0;
  virtual void forget_table() = 0;
  virtual void add_listed(std::string key, const nlohmann::json& object) = 0;
  // Each returns what it changed.
  virtual std::vector<Delta> replace_by_listed() = 0;
  virtual std::vector<Delta> set(const std::string& key, const nlohmann::json& object) = 0;
  virtual std::vector<Delta> erase(const std::string& key) = 0;

  KindSource source_;
  ObjectFields kept_;
  DeltaNews news_;
  Clock::time_point held_from_ = Clock::time_point::max();
  std::string resource_version_;
  std::atomic<bool> connected_{false};
  /// The clock's epoch: never.
  std::atomic<Clock::time_point> last_heard_{};
};

}  // namespace kubecni
