#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "k8s/node.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace kubecni {

/// Hands snapshots and errors from the thread that watches to the thread that
/// acts. Only the newest of each is kept, and nothing is told twice.
class NodeNews {
 public:
  /// Errors: EMFILE, ENFILE, ENOMEM.
  static Result<NodeNews> create();

  /// Is readable while take() has something.
  [[nodiscard]] int fd() const { return event_.get(); }

  /// Says that the state is `snapshot`, which ends an error posted before.
  void post(NodeSnapshot snapshot);
  /// Says that `error` keeps us from newer states. The same text again is no news.
  void post(Error error);

  /// The error that was posted last, unless a snapshot has ended it; else empty.
  [[nodiscard]] std::string error() const;

  /// What was posted and not taken; a snapshot comes before the error after it.
  std::optional<Result<NodeSnapshot>> take();

 private:
  explicit NodeNews(UniqueFd event) : event_(std::move(event)) {}
  void signal() const;

  UniqueFd event_;
  /// Behind a pointer, so that NodeNews can be moved.
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::optional<NodeSnapshot> snapshot_;  ///< not taken yet
  std::optional<Error> error_;            ///< not taken yet
  std::optional<NodeSnapshot> last_snapshot_;
  std::string last_error_;  ///< what fails at present; empty when nothing does
};

}  // namespace kubecni
