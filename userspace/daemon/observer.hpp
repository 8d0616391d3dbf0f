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

/// What the daemon serves over HTTP:
///
///   /metrics  the node and the loop, for Prometheus
///   /healthz  200 while the loop works; else 503, and why
///   /readyz   200 while the node can take pods; else 503, and each reason on a line
///
/// Two servers, each with its own address and thread: one has all three, the other only the
/// verdicts. The kubelet asks the latter, and kills a daemon that does not answer.
///
/// The loop reports its rounds. Everything else is read on a server's thread, when a client asks.
class Observer {
 public:
  using AskSource = std::function<SourceStatus()>;

  struct Addresses {
    std::optional<ListenAddress> metrics;  ///< empty: not served
    std::optional<ListenAddress> health;   ///< likewise
  };

  /// `source` is called on a server's thread.
  Observer(NodeCollector::Paths paths, const Addresses& addresses, AskSource source);

  /// Starts to serve if it does not yet. If an address is not available, logs it; the next call
  /// tries again. The daemon goes on without.
  void ensure_serving();
  /// The URL that it serves at, or why it does not serve; for people.
  [[nodiscard]] std::string describe_metrics() const { return metrics_.describe(); }
  [[nodiscard]] std::string describe_health() const { return health_.describe(); }

  void begin_round();
  void end_round(const Round& round);

  /// The answer for `path`. For the servers and for tests; one thread at a time.
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
