#include "daemon/cluster_follower.hpp"

#include "base/log.hpp"
#include "state/last_known.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace kubecni {

namespace {

constexpr std::size_t kFollowedAtOnce = 16;

/// Null: there is none. The list is sorted by name.
template <typename T>
const T* find_by_name(const std::vector<T>& sorted, const std::string& name) {
  const auto place = std::ranges::lower_bound(sorted, name, {}, &T::name);
  return place != sorted.end() && place->name == name ? &*place : nullptr;
}

}  // namespace

void ClusterFollower::load_last_known() {
  auto loaded = kubecni::load_last_known(options_.state_dir);
  if (!loaded) return log::warn("last known cluster ignored", {{"err", loaded.error().what}});
  if (!*loaded) return;
  const LastKnown& known = **loaded;
  is_known_ = true;
  view_ = view_cluster(known.snapshot, options_.node_name, known.decided, options_.rules);
  log::info("last known cluster loaded", {{"nodes", std::to_string(known.snapshot.nodes.size())}});
}

std::optional<Result<NodeNews>> ClusterFollower::next_news() {
  if (untaken_) return std::exchange(untaken_, std::nullopt);
  return source_->take();
}

void ClusterFollower::take_news() {
  bool must_look = std::exchange(must_look_, false);
  while (auto news = next_news()) {
    // After an error, unchanged nodes may be the refused ones: look at them again.
    if (*news && ((*news)->has_changed || must_look || !error_.empty())) {
      must_look = false;
      if (auto seen = look_at_nodes(); !seen) *news = fail(seen);
    }
    note(*news);
  }
  if (must_look)
    if (auto seen = look_at_nodes(); !seen) note(fail(seen));
}

void ClusterFollower::note(const Result<NodeNews>& news) {
  if (!news) {
    error_ = news.error().what;
    log::error("nodes not read, the last known ones stay",
               {{"source", describe()}, {"err", error_}});
    return;
  }
  if (!error_.empty()) log::info("nodes read again", {{"source", describe()}});
  error_.clear();
}

std::optional<std::vector<PeerChange>> ClusterFollower::follow() {
  if (!is_known_ || !error_.empty() || untaken_) return std::nullopt;
  auto news = source_->take();
  if (!news) return std::vector<PeerChange>();
  auto changes = *news ? follow_each((*news)->names) : std::nullopt;
  must_look_ = must_look_ || changes;
  if (!changes) untaken_ = std::move(news);
  return changes;
}

std::optional<std::vector<PeerChange>> ClusterFollower::follow_each(
    const std::vector<std::string>& names) {
  if (names.empty() || names.size() > kFollowedAtOnce) return std::nullopt;
  std::optional<ClusterView> before;
  if (names.size() > 1) before = view_;
  std::optional<std::vector<PeerChange>> changes(std::in_place);
  source_->read([&](const NodeSnapshot& nodes) {
    for (const std::string& name : names) {
      const Node* node = find_by_name(nodes.nodes, name);
      // A node that cannot be used keeps its addresses.
      if (!node && find_by_name(nodes.skipped, name)) return changes.reset();
      auto change = follow_peer(view_, name, node, options_.rules);
      if (!change) return changes.reset();
      changes->push_back(std::move(*change));
    }
  });
  if (!changes && before) view_ = std::move(*before);
  return changes;
}

/// Takes over the nodes of the source. Errors: ENOENT it has no node at all.
Result<> ClusterFollower::look_at_nodes() {
  Result<> seen;
  source_->read([&](const NodeSnapshot& nodes) {
    // An empty list cannot be right: it lacks this node. It is another cluster, or the API server
    // has lost its data. Taking it over would cut off every pod.
    if (nodes.nodes.empty() && nodes.skipped.empty()) {
      seen = failure(ENOENT, "the list of nodes is empty, although this node exists");
      return;
    }
    has_grown_ = has_grown_ || nodes.nodes.size() > 2 * view_.peers.size();
    is_known_ = true;
    view_ = view_cluster(nodes, options_.node_name, std::move(view_).incumbents(), options_.rules);
    if (auto saved = save_last_known(options_.state_dir, nodes, view_); !saved)
      log::error("last known cluster not saved", {{"err", saved.error().what}});
  });
  return seen;
}

}  // namespace kubecni
