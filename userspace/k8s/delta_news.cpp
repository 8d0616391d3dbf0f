#include "k8s/delta_news.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

namespace kubecni {

Result<DeltaNews> DeltaNews::create() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return sys_error(errno, "eventfd");
  return DeltaNews(std::move(event));
}

void DeltaNews::post(std::vector<Delta> deltas) {
  const std::lock_guard lock(*mutex_);
  if (last_error_.empty() && was_posted_ && deltas.empty()) return;
  for (Delta& delta : deltas) add(std::move(delta));
  was_posted_ = has_state_ = true;
  last_error_.clear();
  error_.reset();
  signal();
}

/// Needs the mutex.
void DeltaNews::add(Delta delta) {
  const auto [known, is_first] = deltas_.emplace(std::move(delta.key), delta.change);
  if (is_first) return;
  const bool was_there = known->second != Change::kAdded;
  const bool is_there = delta.change != Change::kRemoved;
  if (!was_there && !is_there)
    deltas_.erase(known);
  else
    known->second = !is_there ? Change::kRemoved : was_there ? Change::kChanged : Change::kAdded;
}

void DeltaNews::post(Error error) {
  const std::lock_guard lock(*mutex_);
  if (last_error_ == error.what) return;
  last_error_ = error.what;
  error_ = std::move(error);
  signal();
}

void DeltaNews::forget() {
  const std::lock_guard lock(*mutex_);
  deltas_.clear();
  has_state_ = was_posted_ = false;
  error_.reset();
  last_error_.clear();
}

std::string DeltaNews::error() const {
  const std::lock_guard lock(*mutex_);
  return last_error_;
}

std::optional<Result<std::vector<Delta>>> DeltaNews::take() {
  const std::lock_guard lock(*mutex_);
  std::optional<Result<std::vector<Delta>>> news;
  if (std::exchange(has_state_, false)) {
    std::vector<Delta> deltas;
    deltas.reserve(deltas_.size());
    for (const auto& [key, change] : std::exchange(deltas_, {})) deltas.push_back({key, change});
    news = std::move(deltas);
  } else if (error_) {
    news = std::unexpected(std::move(*std::exchange(error_, std::nullopt)));
  }
  eventfd_t count;
  if (!error_) ::eventfd_read(event_.get(), &count);
  return news;
}

void DeltaNews::signal() const { ::eventfd_write(event_.get(), 1); }

}  // namespace kubecni
