#pragma once

#include "k8s/api_client.hpp"
#include "k8s/backoff.hpp"
#include "k8s/node_status.hpp"
#include "k8s/url_text.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace kubecni {

/// The times of a NodeStatusWriter.
struct NodeStatusTimings {
  ApiDeadlines deadlines;
  /// How long a node that could take pods has to be not ready before that is written. A taint then
  /// follows, which keeps pods away.
  std::chrono::milliseconds grace{60'000};
  std::chrono::milliseconds look_interval{300'000};
  std::chrono::milliseconds least_interval{1'000};
  std::chrono::milliseconds first_retry{1'000};
  std::chrono::milliseconds slowest_retry{60'000};
};

/// Writes to this node's Node object whether the node can take pods: see plan_node_status(). Runs
/// on a thread of its own, in the network namespace of the caller of start(). Reads the Node before
/// each write, after look_again(), and from time to time. Logs each error once, as long as it
/// lasts, and tries again.
class NodeStatusWriter {
 public:
  struct Options {
    std::string node_name;
    std::string startup_taint = {};  ///< its key; empty: no taint is touched
    NodeStatusTimings timings = {};
  };

  /// Writes nothing before want(). Errors: ENOMEM; EAGAIN no thread.
  static Result<std::unique_ptr<NodeStatusWriter>> start(ApiConfig config,
                                                         std::shared_ptr<ApiEndpoints> endpoints,
                                                         Options options);
  NodeStatusWriter(const NodeStatusWriter&) = delete;
  NodeStatusWriter& operator=(const NodeStatusWriter&) = delete;
  ~NodeStatusWriter();

  // May be called from any thread; do not wait for the server.
  void want(NodeReadiness readiness);
  void look_again();

 private:
  using Clock = std::chrono::steady_clock;
  struct Work {
    NodeReadiness readiness;
    bool may_take_back;
  };

  struct UnsentEvent {
    nlohmann::json event;
    unsigned tries = 0;
  };

  NodeStatusWriter(std::unique_ptr<ApiClient> client, Options options)
      : client_(std::move(client)),
        options_(std::move(options)),
        node_path_("/api/v1/nodes/" + url_escaped(options_.node_name)),
        backoff_(options_.timings.first_retry, options_.timings.slowest_retry) {}

  void run();
  std::optional<Work> await_work();
  void schedule(const Result<>& done);
  Result<> write(const Work& work);
  void write_events();
  Result<> write_event(const nlohmann::json& event);
  Result<> write_status(const nlohmann::json& patch);
  Result<> write_taints(const nlohmann::json& patch);
  void report(const Result<>& done);

  std::unique_ptr<ApiClient> client_;
  Options options_;
  std::string node_path_;  ///< of the URL

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool is_due_ = false;
  std::optional<NodeReadiness> wanted_;
  Clock::time_point not_ready_since_;

  // Only for the thread.
  Backoff backoff_;
  Backoff events_backoff_{backoff_};
  Clock::time_point looked_at_;
  Clock::time_point look_at_;     ///< the next look, even without a request
  Clock::time_point not_before_;  ///< no look before this, even with a request
  std::vector<UnsentEvent> unsent_;
  std::string last_error_;
  std::thread thread_;
};

}  // namespace kubecni
