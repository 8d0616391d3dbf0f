#include "daemon/observer.hpp"

#include "base/log.hpp"
#include "metrics/process_metrics.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>

namespace kubecni {

namespace {

// A round begins after a minute at the latest. It takes some seconds at most; only loading programs
// on a slow machine takes longer.
constexpr std::chrono::seconds kPatience{150};
// A verdict takes no time, and the kubelet waits for one 1 s unless it is told otherwise.
constexpr std::chrono::seconds kHealthDeadline{2};
constexpr unsigned kOk = 200;
constexpr unsigned kNotFound = 404;
constexpr unsigned kUnavailable = 503;

HttpAnswer answer_for(const std::vector<std::string>& reasons) {
  if (reasons.empty()) return {.status = kOk, .body = "ok\n"};
  HttpAnswer refusal{.status = kUnavailable};
  for (const std::string& reason : reasons) refusal.body += reason + "\n";
  return refusal;
}

Families source_metrics(const SourceStatus& status) {
  auto connected =
      gauge("kube_cni_watch_connected",
            "1 while changes of nodes arrive: the watch is open, or the file can be read");
  add(connected, {}, status.connected ? 1.0 : 0.0);
  auto age = gauge("kube_cni_watch_age_seconds",
                   "Time since the source of nodes last sent anything; absent if it never did");
  if (status.last_heard)
    add(age, {},
        std::chrono::duration<double>(std::chrono::steady_clock::now() - *status.last_heard)
            .count());
  return {std::move(connected), std::move(age)};
}

}  // namespace

Observer::Observer(NodeCollector::Paths paths, const Addresses& addresses, AskSource source)
    : source_(std::move(source)),
      collector_(std::move(paths)),
      loop_health_(kPatience),
      not_ready_("kube-cnid has not finished its first round yet"),
      metrics_{"metrics", "--metrics-address", addresses.metrics},
      health_{"health", "--health-address", addresses.health} {}

void Observer::Served::ensure(const HttpServer::Handler& handler,
                              std::chrono::milliseconds deadline) {
  if (!wanted || server) return;
  auto started = HttpServer::start(*wanted, handler, deadline);
  if (started) {
    server = std::move(*started);
    error.clear();
    log::info("served", {{"what", what}, {"address", server->address().str()}});
  } else if (error != started.error().what) {
    error = started.error().what;
    log::error("not served; everything else works",
               {{"what", what}, {"err", error}, {"change", option}});
  }
}

std::string Observer::Served::describe() const {
  if (!wanted) return "off";
  return server ? "http://" + server->address().str() : "not served: " + error;
}

void Observer::ensure_serving() {
  metrics_.ensure([this](std::string_view path) { return answer(path); }, HttpServer::kDeadline);
  health_.ensure([this](std::string_view path) { return verdict(path); }, kHealthDeadline);
}

void Observer::begin_round() {
  round_began_ = LoopHealth::Clock::now();
  loop_health_.begin_round(round_began_);
}

void Observer::end_round(const Round& round) {
  const auto now = LoopHealth::Clock::now();
  loop_health_.end_round(now);
  loop_.add(round, now - round_began_);
  const std::lock_guard lock(mutex_);
  not_ready_ = round.not_ready;
}

std::vector<std::string> Observer::why_not_ready() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> reasons{loop_health_.why_stuck(), not_ready_};
  std::erase(reasons, "");
  return reasons;
}

HttpAnswer Observer::metrics() {
  Families all = loop_.collect();
  all.push_back(
      gauge("kube_cni_ready", "1 if this node can take pods, 0 if it cannot; /readyz says why"));
  add(all.back(), {}, why_not_ready().empty() ? 1.0 : 0.0);
  for (Families part : {collector_.collect(), source_metrics(source_()), process_metrics()})
    std::ranges::move(part, std::back_inserter(all));
  std::erase_if(all, [](const auto& family) { return family.metric.empty(); });
  std::ranges::sort(all, {}, &prometheus::MetricFamily::name);
  return {.status = kOk,
          .content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = prometheus::TextSerializer().Serialize(all)};
}

HttpAnswer Observer::verdict(std::string_view path) const {
  if (path == "/readyz") return answer_for(why_not_ready());
  if (path == "/healthz") {
    std::vector<std::string> reasons{loop_health_.why_stuck()};
    std::erase(reasons, "");
    return answer_for(reasons);
  }
  return {.status = kNotFound, .body = "there are /healthz and /readyz\n"};
}

HttpAnswer Observer::answer(std::string_view path) {
  if (path == "/metrics") return metrics();
  auto found = verdict(path);
  if (found.status == kNotFound) found.body = "there are /metrics, /healthz and /readyz\n";
  return found;
}

}  // namespace kubecni
