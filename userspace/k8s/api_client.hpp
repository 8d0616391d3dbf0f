#pragma once

#include "base/result.hpp"
#include "k8s/api_call.hpp"
#include "k8s/api_config.hpp"
#include "k8s/api_endpoints.hpp"
#include "k8s/api_request.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// How long we wait for the API server.
struct ApiDeadlines {
  std::chrono::milliseconds connect{5'000};
  /// A connection without a byte for this time counts as dead. Longer than the minute between two
  /// bookmarks.
  std::chrono::milliseconds idle{90'000};
  /// Limit for a whole answer, except of a watch: a server that sends a byte now and then is never
  /// idle.
  std::chrono::milliseconds answer{60'000};
  /// The server is asked to end a watch after this time, so that a replaced token is used. It gets
  /// `idle` more to do so.
  std::chrono::seconds watch{300};
};

/// HTTP requests to the API server, any number at once: as streams of one connection with HTTP/2,
/// else with a connection each. One thread calls it; the other threads may only call stop() and
/// const functions.
///
/// If an endpoint does not answer, the others are tried at once. After a 401 the token file is read
/// again, and if the token has changed, the request is sent once more.
///
/// Errors of all requests, which name the server and what to do:
/// ECONNREFUSED, EHOSTUNREACH and others of connect(2); ETIMEDOUT a deadline
/// passed; ECONNRESET the connection ended too early, or was given up since another
/// request on it (HTTP/2) got no answer; EPROTO TLS failed; EACCES 401; EPERM 403; ENOENT 404;
/// EEXIST 409; ESTALE 410, the server's history does not reach back; EREMOTEIO any other
/// answer but 2xx; ENOENT and others of reading the token file; ECANCELED stop() was
/// called; EFBIG an answer over 16 MiB, and those of the reader.
class ApiClient {
 public:
  using Clock = ApiCall::Clock;

  /// Clients may share `endpoints`; without it, those of `config` are used.
  static Result<std::unique_ptr<ApiClient>> create(
      ApiConfig config, ApiDeadlines deadlines, std::shared_ptr<ApiEndpoints> endpoints = nullptr);
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;
  ~ApiClient();

  /// Begins a request, which may take `deadline`. turn() calls `reader` and `done`, which may begin
  /// other requests. Nothing is called after stop(). Result: the request, until `done` was called.
  const ApiCall* start(ApiRequest request, ApiReader reader, std::chrono::milliseconds deadline,
                       ApiCall::Done done);

  /// Ends the request without calling anybody. Not within turn(). Null: nothing is done.
  void cancel(const ApiCall* call);

  /// Works on the requests that were begun, or waits for work until `until` or stop().
  void turn(Clock::time_point until);

  /// Returns the whole answer; waits for it, up to `deadline` or ApiDeadlines::answer.
  Result<std::string> ask(const ApiRequest& request,
                          std::optional<std::chrono::milliseconds> deadline = {});

  /// The pause that the server asked for in its last answer to ask() (Retry-After), at most a
  /// minute; usually 0.
  [[nodiscard]] std::chrono::milliseconds retry_after() const { return retry_after_; }

  /// From any thread: ends the running call, and all later ones, at once.
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_; }

  [[nodiscard]] const ApiDeadlines& deadlines() const { return deadlines_; }
  /// Where the next request goes, for messages.
  [[nodiscard]] std::string server() const { return name_of(endpoints_->current()); }

 private:
  ApiClient(ApiConfig config, ApiDeadlines deadlines, std::shared_ptr<ApiEndpoints> endpoints,
            void* multi)
      : config_(std::move(config)),
        deadlines_(deadlines),
        endpoints_(std::move(endpoints)),
        multi_(multi) {}

  void begin_waiting();
  void note_ends();
  void settle_ended();
  void wait(Clock::time_point until);
  [[nodiscard]] bool may_share_connection(const ApiCall& ended) const;
  void drop_connections();

  ApiConfig config_;
  ApiDeadlines deadlines_;
  std::shared_ptr<ApiEndpoints> endpoints_;
  std::mutex multi_mutex_;  ///< for stop() against drop_connections()
  void* multi_;             ///< CURLM, keeps connections open from one request to the next
  std::vector<std::unique_ptr<ApiCall>> calls_;
  bool has_answered_ = false;  ///< the server, on a connection that others may share
  std::chrono::milliseconds retry_after_{};
  std::atomic<bool> stopped_{false};
};

}  // namespace kubecni
