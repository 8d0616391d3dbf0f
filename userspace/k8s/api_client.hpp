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

/// How long the API server may keep us waiting.
struct ApiDeadlines {
  std::chrono::milliseconds connect{5'000};
  /// Without a byte for so long the connection counts as dead. Longer than the
  /// minute that is between two bookmarks.
  std::chrono::milliseconds idle{90'000};
  /// For a whole answer, but that to a watch: a server that sends a byte now and
  /// then is never idle.
  std::chrono::milliseconds answer{60'000};
  /// The server is asked to end a watch after this time, so that a token that was
  /// replaced is used. It gets `idle` more to do so.
  std::chrono::seconds watch{300};
};

/// HTTP requests to the API server, any number at once: as streams of one connection
/// with HTTP/2, else on a connection each. One thread calls it; only stop() and what is
/// const are for the others.
///
/// Where nobody answers at one endpoint, the others are tried at once. After a
/// 401 the token file is read again, and if it has another token by now the
/// request is sent once more.
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

  /// `endpoints` may be shared between clients; without them there are those of `config`.
  static Result<std::unique_ptr<ApiClient>> create(
      ApiConfig config, ApiDeadlines deadlines, std::shared_ptr<ApiEndpoints> endpoints = nullptr);
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;
  ~ApiClient();

  /// Begins a request, which may take `deadline`. turn() calls `reader` and `done`, which
  /// may begin others. After stop() nothing is called any more.
  void start(ApiRequest request, ApiReader reader, std::chrono::milliseconds deadline,
             ApiCall::Done done);

  /// Does what there is to do for the requests that were begun, or waits for that until
  /// `until`, or stop().
  void turn(Clock::time_point until);

  /// The whole answer, which may take `deadline`, or ApiDeadlines::answer. Waits for it.
  Result<std::string> ask(const ApiRequest& request,
                          std::optional<std::chrono::milliseconds> deadline = {});

  /// How long the server wanted to be left alone with its last answer to ask()
  /// (Retry-After), at most a minute; usually 0.
  [[nodiscard]] std::chrono::milliseconds retry_after() const { return retry_after_; }

  /// From any thread: ends the call that runs, and all later ones, at once.
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_; }

  [[nodiscard]] const ApiDeadlines& deadlines() const { return deadlines_; }
  /// Where the next request goes, for people.
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
  bool settle_ended();
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
