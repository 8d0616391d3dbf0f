#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

enum class Change { kAdded, kChanged, kRemoved };

/// The change of one object since the last take().
struct Delta {
  std::string key;  ///< "NAME", or "NAMESPACE/NAME"
  Change change;

  bool operator==(const Delta&) const = default;
};

/// Passes changes and errors from the watching thread to the acting thread. It merges the changes
/// of one object, so it never holds more entries than objects. It reports nothing twice.
class DeltaNews {
 public:
  /// Errors: EMFILE, ENFILE, ENOMEM.
  static Result<DeltaNews> create();

  /// Is readable while take() has something.
  [[nodiscard]] int fd() const { return event_.get(); }

  /// Reports that the state is known again, which ends an error posted before, and the changes. It
  /// is news if anything changed, the first time, and after an error.
  void post(std::vector<Delta> deltas);
  /// Reports that `error` keeps us from newer states. The same text again is no news.
  void post(Error error);

  /// As if nothing had been posted. It is no news.
  void forget();

  /// The last posted error, unless deltas have ended it; else empty.
  [[nodiscard]] std::string error() const;

  /// What was posted and not taken, sorted by key; deltas come before a later error.
  std::optional<Result<std::vector<Delta>>> take();

 private:
  explicit DeltaNews(UniqueFd event) : event_(std::move(event)) {}
  void add(Delta delta);
  void signal() const;

  UniqueFd event_;
  /// Behind a pointer, so that DeltaNews can be moved.
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::map<std::string, Change> deltas_;  ///< not taken yet
  bool has_state_ = false;                ///< take() has a state to tell, even without deltas
  bool was_posted_ = false;
  std::optional<Error> error_;  ///< not taken yet
  std::string last_error_;      ///< the present error; empty if none
};

}  // namespace kubecni
