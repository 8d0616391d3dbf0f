#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The target of one try to reach the API server.
struct ApiEndpoint {
  std::string server;   ///< the URL, the certificate must have its name
  std::string address;  ///< "192.0.2.1:6443" to connect to; empty: the URL's host

  bool operator==(const ApiEndpoint&) const = default;
};

/// All ways to the API server, and the current one: the configured URLs in turn, then the learned
/// addresses, under the name of the first URL. A working one is kept, and now and then the first
/// one gets a try: it was configured, and may be a load balancer. No I/O; any thread may call it.
class ApiEndpoints {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes kTryFirstAfter{5};

  /// `servers` has at least one.
  explicit ApiEndpoints(std::vector<std::string> servers, std::vector<std::string> addresses = {});

  /// For the next request. That of a watch ends after some minutes, so the first one is asked
  /// again.
  [[nodiscard]] ApiEndpoint current(Clock::time_point now = Clock::now());
  [[nodiscard]] std::size_t count() const;

  /// `tried` does not answer: moves on to the next, unless another caller has already moved on.
  /// From the first one, if that only got a try, back to the one that worked.
  void failed(const ApiEndpoint& tried, Clock::time_point now = Clock::now());

  /// Replaces the learned addresses, but not by an empty list. Result: whether anything changed.
  /// The current one stays until it fails or is no longer listed: then the first configured URL is
  /// current again.
  bool learn(std::vector<std::string> addresses);

 private:
  [[nodiscard]] std::vector<ApiEndpoint> all() const;

  mutable std::mutex mutex_;
  std::vector<std::string> servers_;
  std::vector<std::string> addresses_;
  ApiEndpoint current_;
  std::optional<ApiEndpoint> worked_;  ///< before the first one got a try
  Clock::time_point try_first_at_{};   ///< unless it is current
};

}  // namespace kubecni
