#pragma once

#include "base/result.hpp"
#include "k8s/api_client.hpp"
#include "k8s/watcher.hpp"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace kubecni {

/// Keeps any number of informers as the API server has them, on one thread, in the network
/// namespace of the caller of start().
class WatchThread {
 public:
  /// Does not wait for the server. The informers outlive it. Without `endpoints` there are
  /// those of `config`. Errors: EMFILE, ENFILE, ENOMEM; EAGAIN no thread.
  static Result<std::unique_ptr<WatchThread>> start(ApiConfig config, const ApiTimings& timings,
                                                    std::shared_ptr<ApiEndpoints> endpoints,
                                                    const std::vector<AnyInformer*>& informers);
  WatchThread(const WatchThread&) = delete;
  WatchThread& operator=(const WatchThread&) = delete;
  /// Returns in less than 200 ms, whatever the server does.
  ~WatchThread();

  /// As ApiClient::server(). From any thread.
  [[nodiscard]] std::string server() const { return client_->server(); }

 private:
  explicit WatchThread(std::unique_ptr<ApiClient> client) : client_(std::move(client)) {}
  void run();

  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::unique_ptr<ApiClient> client_;  ///< calls the watchers, and has to end first
  std::thread thread_;
};

}  // namespace kubecni
