#include "daemon/policy_follower.hpp"

#include "base/log.hpp"

namespace kubecni {

void PolicyFollower::hear() {
  if (!heard_at_) heard_at_ = Clock::now();
}

void PolicyFollower::take_news() {
  if (!source_) return;
  const auto heard_at = std::exchange(heard_at_, std::nullopt).value_or(Clock::now());
  // Awaited pods belong to the change that made them needed.
  const bool is_rest = is_known_ && source_->read().awaits_peers;
  const bool has_changed = source_->take();
  if (std::string error = source_->error(); error != error_) {
    error_ = std::move(error);
    if (error_.empty())
      log::info("network policies read again");
    else
      log::error("network policies not read, the last known ones stay", {{"err", error_}});
  }
  if (!has_changed) return;
  is_known_ = true;
  if (!is_rest) changed_at_ = heard_at;
  ++version_;
}

PolicyView PolicyFollower::view() const {
  return {.is_on = source_ != nullptr,
          .objects = is_known_ ? &source_->read() : nullptr,
          .version = version_,
          .error = error_,
          .heard_at = changed_at_};
}

}  // namespace kubecni
