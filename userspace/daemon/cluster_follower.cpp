#include "daemon/cluster_follower.hpp"

#include "base/log.hpp"
#include "state/last_known.hpp"

#include <cerrno>

namespace kubecni {

void ClusterFollower::load_last_known() {
  auto loaded = kubecni::load_last_known(options_.state_dir);
  if (!loaded) return log::warn("last known cluster ignored", {{"err", loaded.error().what}});
  if (!*loaded) return;
  const LastKnown& known = **loaded;
  is_known_ = true;
  view_ = view_cluster(known.snapshot, options_.node_name, known.decided, options_.rules);
  log::info("last known cluster loaded", {{"nodes", std::to_string(known.snapshot.nodes.size())}});
}

void ClusterFollower::take_news() {
  while (auto news = source_->take()) {
    // After an error, unchanged nodes may be the refused ones: look at them again.
    if (*news && ((*news)->has_changed || !error_.empty()))
      if (auto seen = look_at_nodes(); !seen) *news = fail(seen);
    if (!*news) {
      error_ = news->error().what;
      log::error("nodes not read, the last known ones stay",
                 {{"source", describe()}, {"err", error_}});
      continue;
    }
    if (!error_.empty()) log::info("nodes read again", {{"source", describe()}});
    error_.clear();
  }
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
