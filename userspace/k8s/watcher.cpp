#include "k8s/watcher.hpp"

#include "k8s/url_text.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

using std::chrono::milliseconds;

/// A watch that was open for this long counts as good, even if nothing happened.
constexpr std::chrono::seconds kGoodWatch{1};
constexpr std::size_t kMaxObjectBytes = std::size_t{16} << 20;

milliseconds slowest_retry(const KindSource& source, const ApiTimings& timings) {
  return source.slowest_retry.count() > 0 ? source.slowest_retry : timings.slowest_retry;
}

}  // namespace

Watcher::Watcher(ApiClient& client, AnyInformer& informer, const ApiTimings& timings)
    : client_(client),
      informer_(informer),
      backoff_(timings.first_retry, slowest_retry(informer.source(), timings)) {}

Watcher::Clock::time_point Watcher::turn(Clock::time_point now) {
  if (now >= informer_.held_from()) {
    if (has_begun_) give_up();
    return Clock::time_point::max();
  }
  if (now >= next_) begin();
  return std::min(next_, informer_.held_from());
}

void Watcher::begin() {
  has_begun_ = true;
  next_ = Clock::time_point::max();
  if (informer_.needs_list()) {
    informer_.begin_list();
    list("");
  } else {
    watch();
  }
}

void Watcher::give_up() {
  client_.cancel(std::exchange(running_, nullptr));
  page_.reset();
  events_.reset();
  informer_.forget();
  backoff_.reset();
  next_ = {};
  has_begun_ = false;
}

std::string Watcher::path_with(const std::string& query) const {
  const KindSource& source = informer_.source();
  return source.path + "?" + (source.selector.empty() ? "" : source.selector + "&") + query;
}

void Watcher::list(const std::string& continue_token) {
  page_.emplace(kMaxObjectBytes, informer_.kept());
  std::string query = "limit=500";
  if (!continue_token.empty()) query += "&continue=" + url_escaped(continue_token);
  running_ =
      client_.start({.path = path_with(query), .permission = "list " + informer_.source().resource},
                    {.opened = [this] { informer_.heard(); },
                     .read = [this](std::string_view bytes) { return take_items(bytes); }},
                    client_.deadlines().answer, [this](Result<> listed, milliseconds retry_after) {
                      end_page(std::move(listed), retry_after);
                    });
}

Result<> Watcher::take_items(std::string_view bytes) {
  informer_.heard();
  auto items = page_->feed(bytes);
  if (!items) return fail(items);
  for (const auto& item : *items) informer_.add_item(item);
  return {};
}

void Watcher::end_page(Result<> listed, milliseconds retry_after) {
  running_ = nullptr;
  const std::string context = "list " + informer_.source().resource;
  if (listed) {
    auto page = page_->finish();
    auto next = page ? informer_.end_page(*page) : std::unexpected(std::move(page.error()));
    page_.reset();
    if (next && next->empty()) return watch();
    if (next) return list(*next);
    listed = fail(next, client_.server());
  }
  page_.reset();
  informer_.failed(std::move(listed.error()).in(context));
  rest(retry_after);
}

void Watcher::watch() {
  events_.emplace(kMaxObjectBytes, informer_.kept());
  opened_.reset();
  const auto& deadlines = client_.deadlines();
  running_ = client_.start(
      {.path = path_with("watch=1&allowWatchBookmarks=true&resourceVersion=" +
                         url_escaped(informer_.resource_version()) +
                         "&timeoutSeconds=" + std::to_string(deadlines.watch.count())),
       .permission = "watch " + informer_.source().resource},
      {.opened =
           [this] {
             opened_ = Clock::now();
             informer_.heard();
             informer_.set_connected(true);
           },
       .read = [this](std::string_view bytes) { return take_events(bytes); }},
      deadlines.watch + deadlines.idle, [this](Result<> ended, milliseconds retry_after) {
        end_watch(std::move(ended), retry_after);
      });
}

/// After an error the next round lists again: our state may miss an event.
Result<> Watcher::take_events(std::string_view bytes) {
  informer_.heard();
  auto events = events_->feed(bytes);
  if (!events) {
    informer_.expire();
    return fail(events);
  }
  for (const WatchEvent& event : *events) {
    auto changed = informer_.apply(event);
    if (!changed) return fail(changed);
    backoff_.reset();
  }
  return {};
}

void Watcher::end_watch(Result<> ended, milliseconds retry_after) {
  running_ = nullptr;
  events_.reset();
  if (opened_ && Clock::now() - *opened_ >= kGoodWatch) backoff_.reset();
  if (!ended) {
    informer_.set_connected(false);
    const int code = ended.error().code;
    const bool was_cut = opened_ && (code == ECONNRESET || code == ETIMEDOUT);
    if (code == ESTALE) informer_.expire();
    if (!was_cut && code != ESTALE)
      informer_.failed(std::move(ended.error()).in("watch " + informer_.source().resource));
  }
  rest(retry_after);
}

void Watcher::rest(milliseconds retry_after) {
  next_ = Clock::now() + retry_after + backoff_.next();
}

}  // namespace kubecni
