#include "k8s/api_node_source.hpp"

#include "base/json.hpp"
#include "base/signals.hpp"
#include "k8s/endpoint_slice.hpp"

#include <cerrno>
#include <system_error>

namespace kubecni {

namespace {

using Clock = std::chrono::steady_clock;

/// A watch that stood for so long was a good one, even if nothing happened.
constexpr std::chrono::seconds kGoodWatch{1};
/// API servers come and go rarely.
constexpr std::chrono::minutes kLearnInterval{4};
constexpr std::chrono::seconds kLearnDeadline{5};

}  // namespace

Result<std::unique_ptr<NodeSource>> ApiNodeSource::start(ApiConfig config, ApiTimings timings,
                                                         ApiExtras extras) {
  auto news = NodeNews::create();
  if (!news) return fail(news, "watch nodes");
  if (!extras.endpoints) extras.endpoints = std::make_shared<ApiEndpoints>(config.servers());
  auto client = ApiClient::create(config, timings.deadlines, extras.endpoints);
  if (!client) return fail(client, "watch nodes");
  std::unique_ptr<ApiNodeSource> source(new ApiNodeSource(
      std::move(config), std::move(*client), std::move(*news), timings, std::move(extras)));
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
  block_all_signals();
  while (!client_->stopped()) {
    auto listed = table_.needs_list() ? list() : Result<>();
    if (listed) learn_endpoints();
    auto done = listed ? watch() : listed;
    if (!done && !client_->stopped()) news_.post(std::move(done.error()));
    client_->pause(client_->retry_after() + backoff_.next());
  }
}

Result<> ApiNodeSource::list() {
  table_.begin_list();
  std::string continue_token;
  do {
    auto next = list_page(continue_token);
    if (!next) return fail(next, "list nodes");
    continue_token = std::move(*next);
  } while (!continue_token.empty());
  news_.post(table_.snapshot());
  return {};
}

/// Result: the token of the next page.
Result<std::string> ApiNodeSource::list_page(const std::string& continue_token) {
  ListDecoder decoder;
  auto listed =
      client_->list_nodes(continue_token, {.read = [&](std::string_view bytes) -> Result<> {
                            auto items = decoder.feed(bytes);
                            if (!items) return fail(items);
                            for (const auto& item : *items) {
                              table_.add_item(item);
                              note(item);
                            }
                            return {};
                          }});
  if (!listed) return fail(listed);
  auto page = decoder.finish();
  if (!page) return fail(page, client_->server());
  auto next = table_.end_page(*page);
  if (!next) return fail(next, client_->server());
  return next;
}

void ApiNodeSource::note(const nlohmann::json& node) {
  if (!extras_.own_node_changed) return;
  if (text_of(member(member(node, "metadata"), "name")) == extras_.own_name)
    extras_.own_node_changed();
}

/// Asks where the API servers are, for the time when the configured address does
/// not work, like a ClusterIP before kube-proxy runs. Whoever may not know that
/// has the configured address alone. Over plain HTTP nothing would tell a learned
/// address from a stranger's.
void ApiNodeSource::learn_endpoints() {
  const bool is_wanted = extras_.learned && config_.server.starts_with("https://");
  if (!is_wanted || Clock::now() < learn_next_) return;
  learn_next_ = Clock::now() + kLearnInterval;
  auto slice = client_->ask(
      {.path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes",
       .permission = "get endpointslices.discovery.k8s.io"},
      kLearnDeadline);
  if (!slice) return;
  auto addresses = parse_endpoint_slice(*slice);
  if (addresses && extras_.endpoints->learn(*addresses)) extras_.learned(*addresses);
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
    note(event.object);
    auto changed = table_.apply(event);
    if (!changed) return fail(changed);
    any_changed = any_changed || *changed;
    backoff_.reset();
  }
  if (any_changed) news_.post(table_.snapshot());
  return {};
}

}  // namespace kubecni
