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

/// What became of one object since the last time somebody asked.
struct Delta {
  std::string key;  ///< "NAME", or "NAMESPACE/NAME"
  Change change;

  bool operator==(const Delta&) const = default;
};

/// Hands changes and errors from the thread that watches to the thread that acts. The
/// changes of one object become one, so that no more than the objects are kept; nothing is
/// told twice.
class DeltaNews {
 public:
  /// Errors: EMFILE, ENFILE, ENOMEM.
  static Result<DeltaNews> create();

  /// Is readable while take() has something.
  [[nodiscard]] int fd() const { return event_.get(); }

  /// Says that what is known is right again, which ends an error posted before, and what
  /// has changed. It is news if anything has, at first, and after an error.
  void post(std::vector<Delta> deltas);
  /// Says that `error` keeps us from newer states. The same text again is no news.
  void post(Error error);

  /// The error that was posted last, unless one of deltas has ended it; else empty.
  [[nodiscard]] std::string error() const;

  /// What was posted and not taken, sorted by key; deltas come before the error after them.
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
  std::string last_error_;      ///< what fails at present; empty when nothing does
};

}  // namespace kubecni
