#pragma once

#include <mutex>
#include <string>
#include <vector>

namespace kubecni {

/// Where one try for the API server goes.
struct ApiEndpoint {
  std::string server;   ///< the URL, whose name the certificate has to have
  std::string address;  ///< "192.0.2.1:6443" to connect to; empty: what the URL says

  bool operator==(const ApiEndpoint&) const = default;
};

/// All ways to the API server, and which one to take: the configured URLs in
/// turn, then the addresses that were learned, under the name of the first URL.
/// The one that works is kept. No I/O; any thread may call it.
class ApiEndpoints {
 public:
  /// `servers` has at least one.
  explicit ApiEndpoints(std::vector<std::string> servers, std::vector<std::string> addresses = {});

  [[nodiscard]] ApiEndpoint current() const;
  [[nodiscard]] std::size_t count() const;

  /// Nobody answers at `tried`: the next one is current, unless somebody else
  /// has moved on from it already.
  void failed(const ApiEndpoint& tried);

  /// Replaces what was learned before, but not by nothing. Result: whether that
  /// changed anything. The current one stays until it fails, or is
  /// none of them: then the first configured URL is the current one again.
  bool learn(std::vector<std::string> addresses);

 private:
  [[nodiscard]] std::vector<ApiEndpoint> all() const;

  mutable std::mutex mutex_;
  std::vector<std::string> servers_;
  std::vector<std::string> addresses_;
  ApiEndpoint current_;
};

}  // namespace kubecni
