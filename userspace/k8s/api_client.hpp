#pragma once

#include "base/result.hpp"
#include "k8s/api_config.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kubecni {

/// How long the API server may keep us waiting.
struct ApiDeadlines {
  std::chrono::milliseconds connect{5'000};
  /// Without a byte for so long the connection counts as dead. Longer than the
  /// minute that is between two bookmarks.
  std::chrono::milliseconds idle{90'000};
  /// The server is asked to end a watch after this time, which spreads the
  /// watchers over the servers again.
  std::chrono::seconds watch{300};
};

/// HTTP requests for nodes. One thread calls it; only stop() is for the others.
///
/// Errors of both requests, which name the server and what to do:
/// ECONNREFUSED, EHOSTUNREACH and others of connect(2); ETIMEDOUT a deadline
/// passed; ECONNRESET the connection ended too early; EPROTO TLS failed;
/// EACCES 401; EPERM 403; ESTALE 410, the server's history does not reach back;
/// EREMOTEIO any other answer but 200; ENOENT and others of reading the token
/// file; ECANCELED stop() was called.
class ApiClient {
 public:
  static Result<std::unique_ptr<ApiClient>> create(ApiConfig config, ApiDeadlines deadlines);
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;
  ~ApiClient();

  /// One page of the list; `continue_token` is empty for the first.
  /// Errors: also EFBIG over 256 MiB.
  Result<std::string> list_nodes(std::string_view continue_token);

  struct WatchReader {
    std::function<void()> opened;                          ///< the server answered 200
    std::function<Result<>(std::string_view bytes)> read;  ///< an error ends the watch
  };
  /// Watches what comes after `resource_version` until the server ends it, which
  /// is success. Errors: also those of `reader.read`.
  Result<> watch_nodes(std::string_view resource_version, const WatchReader& reader);

  /// Sleeps, but not beyond stop().
  void pause(std::chrono::milliseconds duration);

  /// From any thread: ends the call that runs, and all later ones, at once.
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_; }

  /// From any thread: when the server last sent a piece of an answer 200; empty: never.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> last_heard() const;

  [[nodiscard]] const std::string& server() const { return config_.server; }

 private:
  struct Request;

  ApiClient(ApiConfig config, ApiDeadlines deadlines, void* multi)
      : config_(std::move(config)), deadlines_(deadlines), multi_(multi) {}

  Result<std::string> bearer_token() const;
  Result<> get(const std::string& path, Request& request);
  Result<> transfer(Request& request);

  ApiConfig config_;
  ApiDeadlines deadlines_;
  void* multi_;  ///< CURLM, keeps connections open from one request to the next
  std::atomic<bool> stopped_{false};
  /// The clock's epoch: never.
  std::atomic<std::chrono::steady_clock::time_point> last_heard_{};
};

}  // namespace kubecni
