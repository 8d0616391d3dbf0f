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

/// A request from start to outcome: one transfer after another, until one is answered or no
/// endpoint is left. ApiClient drives it; it does no I/O itself.
class ApiCall {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;
  using Done = std::function<void(Result<> result, Milliseconds retry_after)>;

  /// How long to wait.
  struct Limits {
    Milliseconds connect;
    Milliseconds idle;    ///< without a byte
    Milliseconds answer;  ///< until the whole answer has arrived
  };

  /// `config` and `endpoints` outlive it.
  ApiCall(const ApiConfig& config, ApiEndpoints& endpoints, ApiRequest request, ApiReader reader,
          Limits limits, Done done);
  ApiCall(const ApiCall&) = delete;
  ApiCall& operator=(const ApiCall&) = delete;

  /// Begins a transfer at the current endpoint. It may end at once.
  void begin(CURLM* multi);
  /// Whether a transfer runs.
  [[nodiscard]] bool is_running() const { return transfer_ != nullptr; }
  /// Whether `easy` is the running transfer.
  [[nodiscard]] bool owns(const CURL* easy) const { return transfer_ && transfer_->easy() == easy; }
  /// Whether the running transfer got an answer so far.
  [[nodiscard]] bool is_answered() const { return transfer_ && transfer_->is_answered(); }
  /// Whether its last answer says that no other call is on its connection.
  [[nodiscard]] bool has_own_connection() const {
    return transfer_ ? transfer_->has_own_connection() : had_own_connection_;
  }
  /// When the server will have been silent, or busy, for too long.
  [[nodiscard]] Clock::time_point give_up_at() const;

  // How a transfer ends.
  void end(CURLcode code) { result_ = transfer_->outcome(code); }
  void end_late(Clock::time_point now);
  void end_cut();
  [[nodiscard]] bool has_ended() const { return result_.has_value(); }

  /// Removes the transfer from `multi`, where it was begun.
  void leave(CURLM* multi);

  // For a call whose transfer has ended.
  /// Whether it ended because the peer of its connection is silent.
  [[nodiscard]] bool distrusts_peer() const { return ended_by(ETIMEDOUT); }
  /// Whether the server refused the client certificate. An open connection keeps its
  /// certificate when the file is replaced.
  [[nodiscard]] bool distrusts_certificate() const {
    return ended_by(EACCES) && !config_.client_cert_file.empty();
  }
  /// Whether the server answered, so that others may use the connection.
  [[nodiscard]] bool ended_well() const { return is_answered_ && result_ && *result_; }
  /// Whether another endpoint is left, which begin() tries next; the call has not ended.
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
  // About the last transfer.
  bool was_sent_ = false;
  bool is_answered_ = false;
  bool had_own_connection_ = false;
  std::optional<Error> first_error_;
  std::unique_ptr<ApiTransfer> transfer_;
  Clock::time_point end_;
  Milliseconds retry_after_{};
  std::optional<Result<>> result_;
};

/// The URL, and the address if it is another one: "https://10.96.0.1:443 at 192.0.2.1:6443".
std::string name_of(const ApiEndpoint& endpoint);

}  // namespace kubecni
