#include "k8s/api_node_source.hpp"

#include "base/json.hpp"

#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <system_error>

namespace kubecni {

namespace {

using Clock = std::chrono::steady_clock;

/// A watch that stood for so long was a good one, even if nothing happened.
constexpr std::chrono::seconds kGoodWatch{1};

}  // namespace

Result<std::unique_ptr<NodeSource>> ApiNodeSource::start(ApiConfig config, ApiTimings timings) {
  auto news = NodeNews::create();
  if (!news) return fail(news, "watch nodes");
  auto client = ApiClient::create(std::move(config), timings.deadlines);
  if (!client) return fail(client, "watch nodes");
  std::unique_ptr<ApiNodeSource> source(
      new ApiNodeSource(std::move(*client), std::move(*news), timings));
  try {
    source->thread_ = std::thread(&ApiNodeSource::run, source.get());
  } catch (const std::system_error& error) {
    return sys_error(error.code().value(), "watch nodes: start a thread");
  }
  return source;
}

ApiNodeSource::~ApiNodeSource() {
  client_->stop();
  if (thread_.joinable()) thread_.join();
}

SourceStatus ApiNodeSource::status() const {
  return {.connected = connected_, .last_heard = client_->last_heard(), .error = news_.error()};
}

void ApiNodeSource::run() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are for the owner's thread

  while (!client_->stopped()) {
    auto listed = table_.needs_list() ? list() : Result<>();
    auto done = listed ? watch() : listed;
    if (!done && !client_->stopped()) news_.post(std::move(done.error()));
    client_->pause(backoff_.next());
  }
}

Result<> ApiNodeSource::list() {
  table_.begin_list();
  std::string continue_token;
  do {
    auto text = client_->list_nodes(continue_token);
    if (!text) return fail(text, "list nodes");
    auto page = parse_json(*text);
    if (!page) return fail(page, "list nodes from " + client_->server());
    auto next = table_.add_page(*page);
    if (!next) return fail(next, "list nodes from " + client_->server());
    continue_token = std::move(*next);
  } while (!continue_token.empty());
  news_.post(table_.snapshot());
  return {};
}

Result<> ApiNodeSource::watch() {
  const auto started = Clock::now();
  bool opened = false;
  WatchDecoder decoder;
  auto ended =
      client_->watch_nodes(table_.resource_version(),
                           {.opened =
                                [&] {
                                  opened = connected_ = true;
                                  news_.post(table_.snapshot());  // ends an error, if there was one
                                },
                            .read = [&](std::string_view bytes) { return apply(decoder, bytes); }});
  if (opened && Clock::now() - started >= kGoodWatch) backoff_.reset();
  if (ended) return {};
  connected_ = false;

  const int code = ended.error().code;
  const bool was_cut = opened && (code == ECONNRESET || code == ETIMEDOUT);
  if (code == ESTALE) table_.expire();
  if (was_cut || code == ESTALE) return {};
  return fail(ended, "watch nodes");
}

/// After an error the next round lists again: what we know may lack an event.
Result<> ApiNodeSource::apply(WatchDecoder& decoder, std::string_view bytes) {
  auto events = decoder.feed(bytes);
  if (!events) {
    table_.expire();
    return fail(events);
  }
  bool any_changed = false;
  for (const WatchEvent& event : *events) {
    auto changed = table_.apply(event);
    if (!changed) return fail(changed);
    any_changed = any_changed || *changed;
    backoff_.reset();
  }
  if (any_changed) news_.post(table_.snapshot());
  return {};
}

}  // namespace kubecni
