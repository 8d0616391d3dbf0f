#include "k8s/api_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace kubecni {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxAnswerBytes = std::size_t{16} << 20;
/// curl counts in int, and a caller may pass the end of the clock's range.
constexpr milliseconds kLongestWait{3'600'000};

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

ApiClient::~ApiClient() {
  for (const auto& call : calls_) call->leave(multi_);
  curl_multi_cleanup(multi_);
}

const ApiCall* ApiClient::start(ApiRequest request, ApiReader reader, milliseconds deadline,
                                ApiCall::Done done) {
  const ApiCall::Limits limits{
      .connect = deadlines_.connect, .idle = deadlines_.idle, .answer = deadline};
  calls_.push_back(std::make_unique<ApiCall>(config_, *endpoints_, std::move(request),
                                             std::move(reader), limits, std::move(done)));
  return calls_.back().get();
}

void ApiClient::cancel(const ApiCall* call) {
  const auto found =
      std::ranges::find_if(calls_, [&](const auto& one) { return one.get() == call; });
  if (found == calls_.end()) return;
  (*found)->leave(multi_);
  calls_.erase(found);
}

/// Until a new connection has brought its first answer, or failed, it is not known whether requests
/// can share it. So the others wait until then. (With CURLOPT_PIPEWAIT, they would wait for the end
/// of a watch if the server speaks HTTP/1.1.)
void ApiClient::begin_waiting() {
  const auto is_answered = [](const auto& call) { return call->is_answered(); };
  const auto is_running = [](const auto& call) { return call->is_running(); };
  has_answered_ = has_answered_ || std::ranges::any_of(calls_, is_answered);
  for (const auto& call : calls_) {
    if (call->is_running() || call->has_ended()) continue;
    if (!has_answered_ && std::ranges::any_of(calls_, is_running)) return;
    call->begin(multi_);
  }
}

void ApiClient::turn(Clock::time_point until) {
  begin_waiting();
  wait(until);
  int running = 0;
  curl_multi_perform(multi_, &running);
  note_ends();
  settle_ended();
}

void ApiClient::note_ends() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    const auto call = std::ranges::find_if(
        calls_, [&](const auto& one) { return one->owns(message->easy_handle); });
    if (call != calls_.end()) (*call)->end(message->data.result);
  }
  const auto now = Clock::now();
  for (const auto& call : calls_)
    if (!call->has_ended() && now >= call->give_up_at()) call->end_late(now);
}

void ApiClient::settle_ended() {
  const auto ended =
      std::ranges::stable_partition(calls_, [](const auto& call) { return !call->has_ended(); });
  std::vector<std::unique_ptr<ApiCall>> calls(std::make_move_iterator(ended.begin()),
                                              std::make_move_iterator(ended.end()));
  calls_.erase(ended.begin(), ended.end());
  for (const auto& call : calls) call->leave(multi_);
  for (auto& call : calls) {
    if (stopped_) break;
    has_answered_ = call->ended_well();
    if (call->distrusts_certificate() || (call->distrusts_peer() && may_share_connection(*call)))
      drop_connections();
    if (!call->goes_on()) {
      call->finish();
      continue;
    }
    calls_.push_back(std::move(call));
  }
}

void ApiClient::wait(Clock::time_point until) {
  for (const auto& call : calls_) {
    if (call->has_ended()) return;  // it failed at once
    until = std::min(until, call->give_up_at());
  }
  const auto now = Clock::now();
  if (stopped_ || until <= now) return;
  const auto time = std::min(until - now, Clock::duration(kLongestWait));
  curl_multi_poll(multi_, nullptr, 0,
                  static_cast<int>(std::chrono::ceil<milliseconds>(time).count()), nullptr);
}

Result<std::string> ApiClient::ask(const ApiRequest& request,
                                   std::optional<milliseconds> deadline) {
  std::string answer;
  std::optional<Result<>> result;
  ApiReader reader{.read = [&](std::string_view bytes) -> Result<> {
    if (answer.size() + bytes.size() > kMaxAnswerBytes)
      return failure(EFBIG,
                     "the answer is over " + std::to_string(kMaxAnswerBytes) + " bytes long");
    answer += bytes;
    return {};
  }};
  start(request, std::move(reader), deadline.value_or(deadlines_.answer),
        [&](Result<> done, milliseconds retry_after) {
          result = std::move(done);
          retry_after_ = retry_after;
        });
  while (!result && !stopped_) turn(Clock::time_point::max());
  if (!result) {
    for (const auto& call : calls_) call->leave(multi_);
    calls_.clear();
    return sys_error(ECANCELED, request.method + " " + request.path);
  }
  if (!*result) return fail(*result);
  return answer;
}

/// With HTTP/1.1 each call has a connection of its own, which curl closes when we abort the
/// transfer. A call without any answer is taken to speak what the others do.
bool ApiClient::may_share_connection(const ApiCall& ended) const {
  if (ended.has_own_connection()) return false;
  const auto is_answered = [](const auto& call) { return call->is_answered(); };
  const auto may_share = [](const auto& call) {
    return call->is_answered() && !call->has_own_connection();
  };
  return std::ranges::none_of(calls_, is_answered) || std::ranges::any_of(calls_, may_share);
}

/// When we abort a transfer, curl closes an HTTP/1.1 connection, but only the stream of HTTP/2: the
/// next request would use the connection whose peer is silent. (CURLOPT_FRESH_CONNECT keeps that
/// one for the request after the next.) So all running transfers leave their connections, too.
/// Those without an answer start again; a watch continues where it was.
void ApiClient::drop_connections() {
  CURLM* fresh = curl_multi_init();
  if (!fresh) return;
  has_answered_ = false;
  for (const auto& call : calls_) {
    if (call->is_answered() && !call->has_ended()) call->end_cut();
    call->leave(multi_);
  }
  const std::lock_guard lock(multi_mutex_);
  curl_multi_cleanup(std::exchange(multi_, fresh));
}

void ApiClient::stop() {
  stopped_ = true;
  const std::lock_guard lock(multi_mutex_);
  curl_multi_wakeup(multi_);
}

}  // namespace kubecni
