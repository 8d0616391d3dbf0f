#pragma once

#include "k8s/api_client.hpp"
#include "k8s/backoff.hpp"
#include "k8s/list_decoder.hpp"
#include "k8s/node_news.hpp"
#include "k8s/node_source.hpp"
#include "k8s/node_table.hpp"
#include "k8s/watch_decoder.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace kubecni {

/// How patient an ApiNodeSource is.
struct ApiTimings {
  ApiDeadlines deadlines;
  std::chrono::milliseconds first_retry{100};
  std::chrono::milliseconds slowest_retry{30'000};
};

/// What an ApiNodeSource does besides; all of it may be left out. It calls on its
/// own thread.
struct ApiExtras {
  /// The ways to the server, shared with other clients.
  std::shared_ptr<ApiEndpoints> endpoints = nullptr;
  /// Gets the addresses that the servers say they have, when they are others than before.
  std::function<void(const std::vector<std::string>& addresses)> learned = {};
  /// Is told that the Node called `own_name` may have changed.
  std::function<void()> own_node_changed = {};
  std::string own_name = {};
};

/// Nodes from the Kubernetes API: a list, then a watch, on a thread of its own
/// in the network namespace of the caller of start().
///
/// A watch that ends or is cut goes on where it was and is no error; only when
/// the server's history does not reach back (410) the list is read again. An
/// error that lasts is told once.
class ApiNodeSource final : public NodeSource {
 public:
  /// Does not wait for the server. Errors: EMFILE, ENFILE, ENOMEM; EAGAIN no thread.
  static Result<std::unique_ptr<NodeSource>> start(ApiConfig config, ApiTimings timings = {},
                                                   ApiExtras extras = {});
  /// Returns in less than 200 ms, whatever the server does.
  ~ApiNodeSource() override;

  [[nodiscard]] int fd() const override { return news_.fd(); }
  std::optional<Result<NodeSnapshot>> take() override { return news_.take(); }
  [[nodiscard]] SourceStatus status() const override;
  [[nodiscard]] std::string describe() const override { return "kubernetes " + client_->server(); }

 private:
  ApiNodeSource(ApiConfig config, std::unique_ptr<ApiClient> client, NodeNews news,
                const ApiTimings& timings, ApiExtras extras)
      : config_(std::move(config)),
        extras_(std::move(extras)),
        client_(std::move(client)),
        news_(std::move(news)),
        backoff_(timings.first_retry, timings.slowest_retry) {}

  // All of these, table_ and backoff_ belong to thread_.
  void run();
  Result<> list();
  Result<std::string> list_page(const std::string& continue_token);
  void learn_endpoints();
  Result<> watch();
  Result<> apply(WatchDecoder& decoder, std::string_view bytes);

  void note(const nlohmann::json& node);

  ApiConfig config_;
  ApiExtras extras_;
  std::unique_ptr<ApiClient> client_;
  NodeNews news_;
  NodeTable table_;
  Backoff backoff_;
  std::chrono::steady_clock::time_point learn_next_{};
  /// From when a watch is open until it fails; its regular end is none.
  std::atomic<bool> connected_{false};
  std::thread thread_;
};

}  // namespace kubecni
