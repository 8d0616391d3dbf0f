#include "k8s/api_call.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

constexpr std::size_t kMaxTokenBytes = std::size_t{64} << 10;
constexpr ApiCall::Milliseconds kLongestRetryAfter{60'000};

bool is_of_unreachable_server(const Error& error) {
  constexpr std::array kCodes{ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH};
  return std::ranges::find(kCodes, error.code) != kCodes.end();
}

bool is_sendable(const std::string& token) {
  return std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

std::string name_of(const ApiEndpoint& endpoint) {
  return endpoint.server + (endpoint.address.empty() ? "" : " at " + endpoint.address);
}

ApiCall::ApiCall(const ApiConfig& config, ApiEndpoints& endpoints, ApiRequest request,
                 ApiReader reader, Limits limits, Done done)
    : config_(config),
      endpoints_(endpoints),
      request_(std::move(request)),
      reader_(std::move(reader)),
      limits_(limits),
      done_(std::move(done)),
      endpoints_count_(endpoints.count()),
      endpoints_left_(endpoints_count_),
      endpoint_(endpoints.current()) {}

std::string ApiCall::context() const {
  return request_.method + " " + name_of(endpoint_) +
         request_.path.substr(0, request_.path.find('?'));
}

/// The current token: kubelet replaces the file before the token expires.
Result<std::string> ApiCall::bearer_token() const {
  if (config_.token_file.empty()) return config_.token;
  auto token = read_file(config_.token_file, kMaxTokenBytes);
  if (!token) return fail(token, "token file");
  while (!token->empty() && std::isspace(static_cast<unsigned char>(token->back())))
    token->pop_back();
  return token;
}

void ApiCall::begin(CURLM* multi) {
  was_sent_ = is_answered_ = had_own_connection_ = false;
  auto token = bearer_token();
  if (token && !is_sendable(*token))
    token = failure(EINVAL, "the token has characters that a token may not have");
  if (!token) {
    result_ = fail(token);
    return;
  }
  token_ = std::move(*token);
  end_ = Clock::now() + limits_.answer;
  transfer_ =
      std::make_unique<ApiTransfer>(config_, endpoint_, request_, reader_, token_, limits_.connect);
  curl_multi_add_handle(multi, transfer_->easy());
}

ApiCall::Clock::time_point ApiCall::give_up_at() const {
  return transfer_ ? std::min(end_, transfer_->heard() + limits_.idle) : Clock::time_point::max();
}

void ApiCall::end_late(Clock::time_point now) {
  result_ = failure(
      ETIMEDOUT,
      now >= end_ ? "no complete answer in " + std::to_string(limits_.answer.count()) + " ms"
                  : "the server said nothing for " + std::to_string(limits_.idle.count()) + " ms");
}

void ApiCall::end_cut() {
  result_ = failure(ECONNRESET, "another request on the same connection got no answer");
}

void ApiCall::leave(CURLM* multi) {
  if (!transfer_) return;
  was_sent_ = true;
  is_answered_ = transfer_->is_answered();
  had_own_connection_ = transfer_->has_own_connection();
  retry_after_ = std::min<Milliseconds>(transfer_->retry_after(), kLongestRetryAfter);
  curl_multi_remove_handle(multi, transfer_->easy());
  transfer_.reset();
}

bool ApiCall::has_new_credentials() {
  if (std::exchange(was_refused_, true)) return false;
  const auto newer = bearer_token();
  return newer && (*newer != token_ || !config_.client_cert_file.empty());
}

bool ApiCall::goes_on() {
  const bool has_another_way = find_another_way();
  if (has_another_way) result_.reset();
  return has_another_way;
}

bool ApiCall::find_another_way() {
  if (*result_) return false;
  if (is_answered_ && result_->error().code == EACCES && has_new_credentials()) return true;
  Error error = std::move(result_->error()).in(context());
  result_ = std::unexpected(error);
  if (!was_sent_ || is_answered_) return false;
  endpoints_.failed(endpoint_);
  if (!first_error_) first_error_ = std::move(error);
  if (--endpoints_left_ > 0) {
    endpoint_ = endpoints_.current();
    was_refused_ = false;
    return true;
  }
  if (endpoints_count_ > 1)
    first_error_->what +=
        "; other addresses tried in vain: " + std::to_string(endpoints_count_ - 1);
  if (!config_.advice.empty() && is_of_unreachable_server(*first_error_))
    first_error_->what += "; " + config_.advice;
  result_ = std::unexpected(std::move(*first_error_));
  return false;
}

}  // namespace kubecni
