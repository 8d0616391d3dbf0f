#pragma once

#include "control/policy/policy_controller.hpp"
#include "k8s/policy_source.hpp"

#include <memory>
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
  void take_news();

  [[nodiscard]] PolicyView view() const;

 private:
  std::unique_ptr<PolicySource> source_;
  PolicyObjects objects_;
  bool is_known_ = false;
  std::uint64_t version_ = 0;
  std::string error_;
};

}  // namespace kubecni
