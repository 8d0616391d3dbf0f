#pragma once

#include "base/result.hpp"
#include "k8s/api_config.hpp"
#include "k8s/api_endpoints.hpp"
#include "k8s/api_request.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
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
  /// For a whole answer, but that to a watch: a server that sends a byte now and
  /// then is never idle.
  std::chrono::milliseconds answer{60'000};
  /// The server is asked to end a watch after this time, so that a token that was
  /// replaced is used. It gets `idle` more to do so.
  std::chrono::seconds watch{300};
};

/// HTTP requests to the API server. One thread calls it; only stop() and what is
/// const are for the others.
///
/// Where nobody answers at one endpoint, the others are tried at once. After a
/// 401 the token file is read again, and if it has another token by now the
/// request is sent once more.
///
/// Errors of all requests, which name the server and what to do:
/// ECONNREFUSED, EHOSTUNREACH and others of connect(2); ETIMEDOUT a deadline
/// passed; ECONNRESET the connection ended too early; EPROTO TLS failed;
/// EACCES 401; EPERM 403; ENOENT 404; EEXIST 409; ESTALE 410, the server's
/// history does not reach back; EREMOTEIO any other answer but 2xx; ENOENT and
/// others of reading the token file; ECANCELED stop() was called; EFBIG an
/// answer over 16 MiB, and those of the reader.
class ApiClient {
 public:
  /// `endpoints` may be shared between clients; without them there are those of `config`.
  static Result<std::unique_ptr<ApiClient>> create(
      ApiConfig config, ApiDeadlines deadlines, std::shared_ptr<ApiEndpoints> endpoints = nullptr);
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;
  ~ApiClient();

  /// The whole answer, which may take `deadline`, or ApiDeadlines::answer.
  Result<std::string> ask(const ApiRequest& request,
                          std::optional<std::chrono::milliseconds> deadline = {});

  /// One page of the list of nodes; `continue_token` is empty for the first.
  Result<> list_nodes(std::string_view continue_token, const ApiReader& reader);

  /// Watches what comes after `resource_version` until the server ends it, which
  /// is success.
  Result<> watch_nodes(std::string_view resource_version, const ApiReader& reader);

  /// How long the server wanted to be left alone with its last answer
  /// (Retry-After), at most a minute; usually 0.
  [[nodiscard]] std::chrono::milliseconds retry_after() const { return retry_after_; }

  /// Sleeps, but not beyond stop().
  void pause(std::chrono::milliseconds duration);

  /// From any thread: ends the call that runs, and all later ones, at once.
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_; }

  /// When the server last sent a piece of an answer 2xx; empty: never.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> last_heard() const;

  /// The URL, and the address where that is another one: "https://10.96.0.1:443
  /// at 192.0.2.1:6443".
  [[nodiscard]] std::string server() const;

 private:
  ApiClient(ApiConfig config, ApiDeadlines deadlines, std::shared_ptr<ApiEndpoints> endpoints,
            void* multi)
      : config_(std::move(config)),
        deadlines_(deadlines),
        endpoints_(std::move(endpoints)),
        multi_(multi) {}

  Result<std::string> bearer_token() const;
  Result<> send(const ApiRequest& request, const ApiReader& reader,
                std::chrono::milliseconds deadline);
  Result<> try_endpoint(const ApiEndpoint& endpoint, const ApiRequest& request,
                        const ApiReader& reader, std::chrono::milliseconds deadline);
  Result<> exchange(const ApiEndpoint& endpoint, const ApiRequest& request, const ApiReader& reader,
                    const std::string& token, std::chrono::milliseconds deadline);
  Result<> transfer(class ApiTransfer& transfer, std::chrono::milliseconds deadline);
  void drop_connections();

  ApiConfig config_;
  ApiDeadlines deadlines_;
  std::shared_ptr<ApiEndpoints> endpoints_;
  std::mutex multi_mutex_;    ///< for stop() against drop_connections()
  void* multi_;               ///< CURLM, keeps connections open from one request to the next
  bool unreachable_ = false;  ///< nobody answered to the last exchange
  std::chrono::milliseconds retry_after_{};
  std::atomic<bool> stopped_{false};
  /// The clock's epoch: never.
  std::atomic<std::chrono::steady_clock::time_point> last_heard_{};
};

}  // namespace kubecni
