#pragma once

#include "daemon/loop_metrics.hpp"
#include "k8s/node_source.hpp"
#include "metrics/http_server.hpp"
#include "metrics/loop_health.hpp"
#include "metrics/node_collector.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// What others can see of the daemon, over HTTP:
///
///   /metrics  the node and the loop, for Prometheus
///   /healthz  200 while the loop goes round; 503 and why
///   /readyz   200 while the node can take pods; 503 and why, a reason a line
///
/// Two servers, each with an address and a thread of its own: one has all of it, the other the two
/// verdicts alone. The kubelet asks that one, and kills a daemon that does not answer.
///
/// The loop tells it about its rounds; everything else is read when somebody asks, on
/// a server's thread.
class Observer {
 public:
  using AskSource = std::function<SourceStatus()>;

  struct Addresses {
    std::optional<ListenAddress> metrics;  ///< empty: not served
    std::optional<ListenAddress> health;   ///< likewise
  };

  /// `source` is called on a server's thread.
  Observer(NodeCollector::Paths paths, const Addresses& addresses, AskSource source);

  /// Starts to serve unless it does. A node is worth more than its metrics: where an
  /// address cannot be had the daemon goes on, and tries again with each round.
  void ensure_serving();
  /// Where it serves, or why it does not, for people.
  [[nodiscard]] std::string describe_metrics() const { return metrics_.describe(); }
  [[nodiscard]] std::string describe_health() const { return health_.describe(); }

  void begin_round();
  void end_round(const Round& round);

  /// What is at `path`, for the servers and for tests. One thread at a time.
  HttpAnswer answer(std::string_view path);
  /// The same for the verdicts alone, from any thread.
  [[nodiscard]] HttpAnswer verdict(std::string_view path) const;

 private:
  /// A server that may be still to come.
  struct Served {
    std::string what;  ///< for the log
    std::string option;
    std::optional<ListenAddress> wanted;
    std::string error = {};
    std::unique_ptr<HttpServer> server = {};

    void ensure(const HttpServer::Handler& handler, std::chrono::milliseconds deadline);
    [[nodiscard]] std::string describe() const;
  };

  HttpAnswer metrics();
  [[nodiscard]] std::vector<std::string> why_not_ready() const;

  AskSource source_;
  NodeCollector collector_;
  LoopMetrics loop_;
  LoopHealth loop_health_;
  LoopHealth::Clock::time_point round_began_;
  mutable std::mutex mutex_;
  std::string not_ready_;  // guarded by mutex_
  Served metrics_;         // the last members: their threads need the others
  Served health_;
};

}  // namespace kubecni
