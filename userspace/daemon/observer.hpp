#pragma once

#include "daemon/loop_metrics.hpp"
#include "k8s/node_source.hpp"
#include "metrics/http_server.hpp"
#include "metrics/loop_health.hpp"
#include "metrics/node_collector.hpp"

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
/// The loop reports its rounds. Everything else is read on the server's thread, when a client
/// asks.
class Observer {
 public:
  using AskSource = std::function<SourceStatus()>;

  /// Without an address nothing is served. `source` is called on the server's thread.
  Observer(NodeCollector::Paths paths, std::optional<ListenAddress> address, AskSource source);

  /// Starts to serve if it does not yet. If the address is not available, logs it; the next call
  /// tries again. The daemon goes on without metrics.
  void ensure_serving();
  /// The URL that it serves at, or why it does not serve; for people.
  [[nodiscard]] std::string describe() const;

  void begin_round();
  void end_round(const Round& round);

  /// The answer for `path`. For the server and for tests.
  HttpAnswer answer(std::string_view path);

 private:
  HttpAnswer metrics();
  [[nodiscard]] std::vector<std::string> why_not_ready() const;

  std::optional<ListenAddress> wanted_;
  AskSource source_;
  NodeCollector collector_;
  LoopMetrics loop_;
  LoopHealth health_;
  LoopHealth::Clock::time_point round_began_;
  mutable std::mutex mutex_;
  std::string not_ready_;  // guarded by mutex_
  std::string error_;
  std::unique_ptr<HttpServer> server_;  // the last member: its thread needs the others
};

}  // namespace kubecni
