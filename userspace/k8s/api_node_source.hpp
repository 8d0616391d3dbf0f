#pragma once

#include "k8s/informer.hpp"
#include "k8s/kinds.hpp"
#include "k8s/node_source.hpp"
#include "k8s/watch_thread.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kubecni {

/// Optional extras of an ApiNodeSource. It calls them on its own thread.
struct ApiExtras {
  /// The ways to the server, shared with other clients.
  std::shared_ptr<ApiEndpoints> endpoints = nullptr;
  /// Gets the servers' addresses whenever they change.
  std::function<void(const std::vector<std::string>& addresses)> learned = {};
  /// Is called when the Node `own_name` may have changed.
  std::function<void()> own_node_changed = {};
  std::string own_name = {};
  /// Is called when the server sends nodes, many times.
  std::function<void()> reached = {};
  /// Other kinds to watch with the same thread; they have to outlive the source.
  std::vector<AnyInformer*> others = {};
};

/// Nodes from the Kubernetes API: an informer of nodes, and one of the API servers' addresses. A
/// lasting error is reported once.
class ApiNodeSource final : public NodeSource {
 public:
  /// Does not wait for the server. Errors: EMFILE, ENFILE, ENOMEM; EAGAIN no thread.
  static Result<std::unique_ptr<NodeSource>> start(ApiConfig config, ApiTimings timings = {},
                                                   ApiExtras extras = {});

  [[nodiscard]] int fd() const override { return nodes_->fd(); }
  std::optional<Result<NodeNews>> take() override;
  void read(const std::function<void(const NodeSnapshot&)>& look) const override;
  [[nodiscard]] SourceStatus status() const override { return nodes_->status(); }
  [[nodiscard]] std::string describe() const override { return "kubernetes " + thread_->server(); }

 private:
  using Nodes = Informer<NodeEntry, NodeTable>;
  using Servers = Informer<ApiServers>;

  ApiNodeSource(std::unique_ptr<Nodes> nodes, std::unique_ptr<Servers> servers,
                std::unique_ptr<WatchThread> thread)
      : nodes_(std::move(nodes)), servers_(std::move(servers)), thread_(std::move(thread)) {}

  std::unique_ptr<Nodes> nodes_;
  bool was_told_ = false;                ///< that there is a list, even an empty one
  std::unique_ptr<Servers> servers_;     ///< null: not needed
  std::unique_ptr<WatchThread> thread_;  ///< fills the others, and has to end first
};

}  // namespace kubecni
