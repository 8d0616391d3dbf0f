#pragma once

#include <mutex>
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
/// addresses, under the name of the first URL. A working one is kept. No I/O; any thread may call
/// it.
class ApiEndpoints {
 public:
  /// `servers` has at least one.
  explicit ApiEndpoints(std::vector<std::string> servers, std::vector<std::string> addresses = {});

  [[nodiscard]] ApiEndpoint current() const;
  [[nodiscard]] std::size_t count() const;

  /// `tried` does not answer: moves on to the next, unless another caller has already moved on.
  void failed(const ApiEndpoint& tried);

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
};

}  // namespace kubecni
