#include "k8s/node_news.hpp"

#include <sys/eventfd.h>

#include <cerrno>

namespace kubecni {

Result<NodeNews> NodeNews::create() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return sys_error(errno, "eventfd");
  return NodeNews(std::move(event));
}

void NodeNews::post(NodeSnapshot snapshot) {
  const std::lock_guard lock(*mutex_);
  if (last_error_.empty() && last_snapshot_ == snapshot) return;
  last_snapshot_ = snapshot;
  last_error_.clear();
  snapshot_ = std::move(snapshot);
  error_.reset();
  signal();
}

void NodeNews::post(Error error) {
  const std::lock_guard lock(*mutex_);
  if (last_error_ == error.what) return;
  last_error_ = error.what;
  error_ = std::move(error);
  signal();
}

std::string NodeNews::error() const {
  const std::lock_guard lock(*mutex_);
  return last_error_;
}

std::optional<Result<NodeSnapshot>> NodeNews::take() {
  const std::lock_guard lock(*mutex_);
  std::optional<Result<NodeSnapshot>> news;
  if (snapshot_)
    news = std::move(*std::exchange(snapshot_, std::nullopt));
  else if (error_)
    news = std::unexpected(std::move(*std::exchange(error_, std::nullopt)));
  eventfd_t count;
  if (!error_) ::eventfd_read(event_.get(), &count);
  return news;
}

void NodeNews::signal() const { ::eventfd_write(event_.get(), 1); }

}  // namespace kubecni
