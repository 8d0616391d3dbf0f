#pragma once

#include "cluster/cluster_view.hpp"
#include "cluster/peer_change.hpp"
#include "control/options.hpp"
#include "k8s/node_source.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// Keeps the view of the cluster: from the source of nodes or, until the source has answered, from
/// disk. Only status() may be called from other threads than the loop's.
class ClusterFollower {
 public:
  ClusterFollower(const DaemonOptions& options, std::unique_ptr<NodeSource> source)
      : options_(options), source_(std::move(source)) {}

  void load_last_known();
  /// Readable when take_news() and follow() may have something new.
  [[nodiscard]] int fd() const { return source_->fd(); }
  void take_news();
  /// Takes news of few other nodes that touch nobody else (follow_peer()); they cost little. The
  /// next take_news() looks at all nodes. Empty: there are others, and take_news() has to be
  /// called.
  std::optional<std::vector<PeerChange>> follow();

  /// Null: the cluster is not known.
  [[nodiscard]] const ClusterView* view() const { return is_known_ ? &view_ : nullptr; }
  /// Whether the cluster was read for the first time since the last call, or is twice as large,
  /// which takes memory for a moment.
  [[nodiscard]] bool take_has_grown() { return std::exchange(has_grown_, false); }
  [[nodiscard]] std::string describe() const { return source_->describe(); }
  /// Why the source cannot be read; empty: it can.
  [[nodiscard]] const std::string& error() const { return error_; }
  /// From any thread.
  [[nodiscard]] SourceStatus status() const { return source_->status(); }

 private:
  std::optional<Result<NodeNews>> next_news();
  std::optional<std::vector<PeerChange>> follow_each(const std::vector<std::string>& names);
  Result<> look_at_nodes();
  void note(const Result<NodeNews>& news);

  const DaemonOptions& options_;
  std::unique_ptr<NodeSource> source_;
  bool is_known_ = false;
  bool has_grown_ = true;
  ClusterView view_;
  std::string error_;
  std::optional<Result<NodeNews>> untaken_;  ///< news that follow() left to take_news()
  bool must_look_ = false;                   ///< follow() has taken news
};

}  // namespace kubecni
