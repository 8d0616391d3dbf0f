#pragma once

#include "k8s/node_source.hpp"
#include "support/eventually.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace kubecni::test {

inline bool is_readable(int fd, std::chrono::milliseconds timeout = {}) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, static_cast<int>(timeout.count())) > 0;
}

/// The news of `source`, with the nodes if they are known.
inline std::optional<Result<NodeSnapshot>> taken(NodeSource& source) {
  auto news = source.take();
  if (!news) return std::nullopt;
  if (!*news) return fail(*news);
  NodeSnapshot snapshot;
  source.read([&](const NodeSnapshot& nodes) { snapshot = nodes; });
  return snapshot;
}

/// The next news of `source`; empty if none comes before the deadline.
inline std::optional<Result<NodeSnapshot>> next_news(NodeSource& source) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  for (auto now = end - kDeadline; now < end; now = std::chrono::steady_clock::now()) {
    if (!is_readable(source.fd(), std::chrono::ceil<std::chrono::milliseconds>(end - now))) break;
    if (auto news = taken(source)) return news;
  }
  return std::nullopt;
}

/// The names of the nodes in `news`, or a description of other news.
inline std::string names(const std::optional<Result<NodeSnapshot>>& news) {
  if (!news) return "no news";
  if (!*news) return "error: " + news->error().what;
  std::string all;
  for (const Node& node : (*news)->nodes) all += (all.empty() ? "" : " ") + node.name;
  return all;
}

/// Takes snapshots, over errors and older ones, until it has exactly the nodes
/// `expected` ("n1 n2"). Result: the names of the last news.
inline std::string await_names(NodeSource& source, const std::string& expected) {
  std::string last = "no news";
  for (auto news = next_news(source); news; news = next_news(source))
    if ((last = names(news)) == expected) break;
  return last;
}

}  // namespace kubecni::test
