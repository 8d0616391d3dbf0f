#include "k8s/api_client.hpp"

#include "base/file.hpp"
#include "k8s/api_transfer.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxAnswerBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxTokenBytes = std::size_t{64} << 10;
constexpr milliseconds kLongestRetryAfter{60'000};

std::string name_of(const ApiEndpoint& endpoint) {
  return endpoint.server + (endpoint.address.empty() ? "" : " at " + endpoint.address);
}

/// `text` as a value in a query.
std::string escaped(std::string_view text) {
  const std::unique_ptr<char, decltype(&curl_free)> value(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), &curl_free);
  return value.get();
}

}  // namespace

Result<std::unique_ptr<ApiClient>> ApiClient::create(ApiConfig config, ApiDeadlines deadlines,
                                                     std::shared_ptr<ApiEndpoints> endpoints) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK)
    return failure(EIO, std::string("start libcurl: ") + curl_easy_strerror(global));
  CURLM* multi = curl_multi_init();
  if (!multi) return sys_error(ENOMEM, "start libcurl");
  if (!endpoints) endpoints = std::make_shared<ApiEndpoints>(config.servers());
  return std::unique_ptr<ApiClient>(
      new ApiClient(std::move(config), deadlines, std::move(endpoints), multi));
}

ApiClient::~ApiClient() { curl_multi_cleanup(multi_); }

Result<std::string> ApiClient::ask(const ApiRequest& request,
                                   std::optional<milliseconds> deadline) {
  std::string answer;
  const ApiReader reader{.read = [&](std::string_view bytes) -> Result<> {
    if (answer.size() + bytes.size() > kMaxAnswerBytes)
      return failure(EFBIG,
                     "the answer is over " + std::to_string(kMaxAnswerBytes) + " bytes long");
    answer += bytes;
    return {};
  }};
  if (auto sent = send(request, reader, deadline.value_or(deadlines_.answer)); !sent)
    return fail(sent);
  return answer;
}

Result<> ApiClient::list_nodes(std::string_view continue_token, const ApiReader& reader) {
  std::string path = "/api/v1/nodes?limit=500";
  if (!continue_token.empty()) path += "&continue=" + escaped(continue_token);
  return send({.path = path, .permission = "list nodes"}, reader, deadlines_.answer);
}

Result<> ApiClient::watch_nodes(std::string_view resource_version, const ApiReader& reader) {
  const std::string path = "/api/v1/nodes?watch=1&allowWatchBookmarks=true&resourceVersion=" +
                           escaped(resource_version) +
                           "&timeoutSeconds=" + std::to_string(deadlines_.watch.count());
  return send({.path = path, .permission = "watch nodes"}, reader,
              deadlines_.watch + deadlines_.idle);
}

/// The token of right now: the kubelet replaces the file before it expires.
Result<std::string> ApiClient::bearer_token() const {
  if (config_.token_file.empty()) return config_.token;
  auto token = read_file(config_.token_file, kMaxTokenBytes);
  if (!token) return fail(token, "token file");
  while (!token->empty() && std::isspace(static_cast<unsigned char>(token->back())))
    token->pop_back();
  return token;
}

Result<> ApiClient::send(const ApiRequest& request, const ApiReader& reader,
                         milliseconds deadline) {
  std::optional<Error> first_error;
  const std::size_t count = endpoints_->count();
  for (std::size_t tried = 0; tried < count; ++tried) {
    const ApiEndpoint endpoint = endpoints_->current();
    unreachable_ = false;
    auto done = try_endpoint(endpoint, request, reader, deadline);
    if (done || !unreachable_ || stopped_) return done;
    endpoints_->failed(endpoint);
    if (!first_error) first_error = std::move(done.error());
  }
  if (count > 1)
    first_error->what += "; other addresses tried in vain: " + std::to_string(count - 1);
  return std::unexpected(std::move(*first_error));
}

Result<> ApiClient::try_endpoint(const ApiEndpoint& endpoint, const ApiRequest& request,
                                 const ApiReader& reader, milliseconds deadline) {
  const std::string context =
      request.method + " " + name_of(endpoint) + request.path.substr(0, request.path.find('?'));
  auto token = bearer_token();
  if (!token) return fail(token, context);
  auto done = exchange(endpoint, request, reader, *token, deadline);
  if (!done && done.error().code == EACCES) {
    // The client certificate is that of the connection, until it is made anew.
    drop_connections();
    auto newer = bearer_token();
    if (newer && (*newer != *token || !config_.client_cert_file.empty()))
      done = exchange(endpoint, request, reader, *newer, deadline);
  }
  if (!done) return fail(done, context);
  return {};
}

Result<> ApiClient::exchange(const ApiEndpoint& endpoint, const ApiRequest& request,
                             const ApiReader& reader, const std::string& token,
                             milliseconds deadline) {
  if (!std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; }))
    return failure(EINVAL, "the token has characters that a token may not have");
  ApiTransfer one(config_, endpoint, request, reader, token, deadlines_.connect);
  curl_multi_add_handle(multi_, one.easy());
  auto done = transfer(one, deadline);
  unreachable_ = !one.is_answered();
  retry_after_ = std::min<milliseconds>(one.retry_after(), kLongestRetryAfter);
  curl_multi_remove_handle(multi_, one.easy());
  if (!done && done.error().code == ETIMEDOUT) drop_connections();
  return done;
}

Result<> ApiClient::transfer(ApiTransfer& transfer, milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  for (int running = 1; running > 0;) {
    if (stopped_) return sys_error(ECANCELED, "transfer");
    curl_multi_perform(multi_, &running);
    if (const auto heard = transfer.heard_good()) last_heard_ = *heard;
    if (running == 0) break;
    const auto now = Clock::now();
    const auto give_up = std::min(end, transfer.heard() + deadlines_.idle);
    if (now >= give_up)
      return failure(ETIMEDOUT, now >= end ? "no complete answer in " +
                                                 std::to_string(deadline.count()) + " ms"
                                           : "the server said nothing for " +
                                                 std::to_string(deadlines_.idle.count()) + " ms");
    curl_multi_poll(multi_, nullptr, 0,
                    static_cast<int>(std::chrono::ceil<milliseconds>(give_up - now).count()),
                    nullptr);
  }
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(multi_, &left);
  return message ? transfer.outcome(message->data.result) : sys_error(EIO, "libcurl");
}

/// Of a transfer that is given up curl ends an HTTP/1.1 connection, but of HTTP/2
/// the stream alone: the next request would be put on the connection whose peer is
/// silent. (CURLOPT_FRESH_CONNECT keeps that one for the request after the next.)
void ApiClient::drop_connections() {
  CURLM* fresh = curl_multi_init();
  if (!fresh) return;
  const std::lock_guard lock(multi_mutex_);
  curl_multi_cleanup(std::exchange(multi_, fresh));
}

void ApiClient::pause(milliseconds duration) {
  const auto end = Clock::now() + duration;
  for (auto now = Clock::now(); !stopped_ && now < end; now = Clock::now())
    curl_multi_poll(multi_, nullptr, 0,
                    static_cast<int>(std::chrono::ceil<milliseconds>(end - now).count()), nullptr);
}

std::optional<Clock::time_point> ApiClient::last_heard() const {
  const Clock::time_point heard = last_heard_;
  return heard == Clock::time_point{} ? std::nullopt : std::optional(heard);
}

void ApiClient::stop() {
  stopped_ = true;
  const std::lock_guard lock(multi_mutex_);
  curl_multi_wakeup(multi_);
}

std::string ApiClient::server() const { return name_of(endpoints_->current()); }

}  // namespace kubecni
