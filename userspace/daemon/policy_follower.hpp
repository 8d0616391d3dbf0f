#pragma once

#include "control/policy/policy_controller.hpp"
#include "k8s/policy_source.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace kubecni {

/// Keeps the objects of policies as the source has them. A source that cannot be read leaves the
/// last known ones.
class PolicyFollower {
 public:
  /// Null: network policies are off.
  explicit PolicyFollower(std::unique_ptr<PolicySource> source) : source_(std::move(source)) {}

  /// Readable when take_news() may have something new; -1: never.
  [[nodiscard]] int fd() const { return source_ ? source_->fd() : -1; }
  /// Notes that there is something new, for the time that it takes until it is in force.
  void hear();
  void take_news();

  [[nodiscard]] PolicyView view() const;

 private:
  using Clock = std::chrono::steady_clock;

  std::unique_ptr<PolicySource> source_;
  bool is_known_ = false;
  std::uint64_t version_ = 0;
  std::string error_;
  std::optional<Clock::time_point> heard_at_;  ///< of what take_news() has not taken yet
  Clock::time_point changed_at_;               ///< when the last change was heard of
};

}  // namespace kubecni
