#pragma once

#include "k8s/api_endpoints.hpp"
#include "k8s/api_request.hpp"
#include "k8s/api_transfer.hpp"

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace kubecni {

/// A request from its start to its outcome: one transfer after another, until one is
/// answered or no endpoint is left. Without I/O of its own: ApiClient drives it.
class ApiCall {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;
  using Done = std::function<void(Result<> result, Milliseconds retry_after)>;

  /// How long to wait.
  struct Limits {
    Milliseconds connect;
    Milliseconds idle;    ///< without a byte
    Milliseconds answer;  ///< for the whole answer
  };

  /// `config` and `endpoints` outlive it.
  ApiCall(const ApiConfig& config, ApiEndpoints& endpoints, ApiRequest request, ApiReader reader,
          Limits limits, Done done);
  ApiCall(const ApiCall&) = delete;
  ApiCall& operator=(const ApiCall&) = delete;

  /// Begins a transfer at the endpoint whose turn it is. It may end at once.
  void begin(CURLM* multi);
  /// Whether it has a transfer.
  [[nodiscard]] bool is_running() const { return transfer_ != nullptr; }
  /// Whether `easy` is of the transfer that runs.
  [[nodiscard]] bool owns(const CURL* easy) const { return transfer_ && transfer_->easy() == easy; }
  /// Whether the transfer that runs got an answer so far.
  [[nodiscard]] bool is_answered() const { return transfer_ && transfer_->is_answered(); }
  /// Whether its last answer says that no other call is on its connection.
  [[nodiscard]] bool has_own_connection() const {
    return transfer_ ? transfer_->has_own_connection() : had_own_connection_;
  }
  /// When the server will have been silent, or busy, for too long.
  [[nodiscard]] Clock::time_point give_up_at() const;

  // The ends of a transfer.
  void end(CURLcode code) { result_ = transfer_->outcome(code); }
  void end_late(Clock::time_point now);
  void end_cut();
  [[nodiscard]] bool has_ended() const { return result_.has_value(); }

  /// Takes the transfer off `multi`, which it was begun on.
  void leave(CURLM* multi);

  // Of a call whose transfer has ended.
  /// Whether it ended since the peer of its connection is silent.
  [[nodiscard]] bool distrusts_peer() const { return ended_by(ETIMEDOUT); }
  /// Whether it ended since a client certificate is not taken. That of an open connection
  /// stays what it was when the file is replaced.
  [[nodiscard]] bool distrusts_certificate() const {
    return ended_by(EACCES) && !config_.client_cert_file.empty();
  }
  /// Whether the server answered, and others may use the connection.
  [[nodiscard]] bool ended_well() const { return is_answered_ && result_ && *result_; }
  /// Whether there is another way to try, which begin() takes then; the call has not ended.
  [[nodiscard]] bool goes_on();
  void finish() { done_(std::move(*result_), retry_after_); }

 private:
  [[nodiscard]] bool ended_by(int code) const {
    return result_ && !*result_ && result_->error().code == code;
  }
  [[nodiscard]] Result<std::string> bearer_token() const;
  [[nodiscard]] bool find_another_way();
  [[nodiscard]] bool has_new_credentials();
  [[nodiscard]] std::string context() const;

  const ApiConfig& config_;
  ApiEndpoints& endpoints_;
  ApiRequest request_;
  ApiReader reader_;
  Limits limits_;
  Done done_;

  std::size_t endpoints_count_;
  std::size_t endpoints_left_;
  ApiEndpoint endpoint_;
  std::string token_;
  bool was_refused_ = false;  ///< a 401, after which the token was read again
  // Of the last transfer.
  bool was_sent_ = false;
  bool is_answered_ = false;
  bool had_own_connection_ = false;
  std::optional<Error> first_error_;
  std::unique_ptr<ApiTransfer> transfer_;
  Clock::time_point end_;
  Milliseconds retry_after_{};
  std::optional<Result<>> result_;
};

/// The URL, and the address where that is another one: "https://10.96.0.1:443 at
/// 192.0.2.1:6443".
std::string name_of(const ApiEndpoint& endpoint);

}  // namespace kubecni
