#include "control/node_status/node_status_writer.hpp"

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

namespace kubecni {

namespace {

using nlohmann::json;

constexpr const char* kStrategicMerge = "application/strategic-merge-patch+json";

// A quarter of an hour: then an Event is no news any more.
constexpr unsigned kMostTries = 20;

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[sizeof("2026-01-01T00:00:00Z")];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

Result<std::unique_ptr<NodeStatusWriter>> NodeStatusWriter::start(
    ApiConfig config, std::shared_ptr<ApiEndpoints> endpoints, Options options) {
  auto client =
      ApiClient::create(std::move(config), options.timings.deadlines, std::move(endpoints));
  if (!client) return fail(client, "node status");
  std::unique_ptr<NodeStatusWriter> writer(
      new NodeStatusWriter(std::move(*client), std::move(options)));
  try {
    writer->thread_ = std::thread(&NodeStatusWriter::run, writer.get());
  } catch (const std::system_error& error) {
    return sys_error(error.code().value(), "node status: start a thread");
  }
  return writer;
}

NodeStatusWriter::~NodeStatusWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  client_->stop();
  if (thread_.joinable()) thread_.join();
}

void NodeStatusWriter::want(NodeReadiness readiness) {
  const std::lock_guard lock(mutex_);
  const bool was_ready = !wanted_ || wanted_->why_not_ready.empty();
  const bool is_ready = readiness.why_not_ready.empty();
  if (was_ready && !is_ready) not_ready_since_ = Clock::now();
  // Another reason for the same state is written at the next usual look.
  if (!wanted_ || was_ready != is_ready ||
      wanted_->kernel_path_reason != readiness.kernel_path_reason ||
      wanted_->no_address != readiness.no_address ||
      wanted_->not_reached.empty() != readiness.not_reached.empty() ||
      wanted_->broken_policy != readiness.broken_policy)
    is_due_ = true;
  wanted_ = std::move(readiness);
  changed_.notify_all();
}

void NodeStatusWriter::look_again() {
  const std::lock_guard lock(mutex_);
  is_due_ = true;
  changed_.notify_all();
}

void NodeStatusWriter::run() {
  block_all_signals();
  while (const auto work = await_work()) {
    const auto done = write(*work);
    if (client_->stopped()) return;
    report(done);
    schedule(done);
  }
}

/// Waits until there is something to do. Empty: the writer stops.
std::optional<NodeStatusWriter::Work> NodeStatusWriter::await_work() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopping_ || wanted_; });
  const auto grace_end = not_ready_since_ + options_.timings.grace;
  if (!stopping_ && !wanted_->why_not_ready.empty() && looked_at_ < grace_end)
    look_at_ = std::min(look_at_, grace_end);
  changed_.wait_until(lock, look_at_, [&] { return stopping_ || is_due_; });
  changed_.wait_until(lock, not_before_, [&] { return stopping_; });
  if (stopping_) return std::nullopt;
  is_due_ = false;
  looked_at_ = Clock::now();
  return Work{.readiness = *wanted_,
              .may_take_back = looked_at_ >= not_ready_since_ + options_.timings.grace};
}

void NodeStatusWriter::schedule(const Result<>& done) {
  const auto now = Clock::now();
  if (done) backoff_.reset();
  not_before_ =
      now + (done ? options_.timings.least_interval : client_->retry_after() + backoff_.next());
  look_at_ = done ? now + options_.timings.look_interval : not_before_;
  if (done && !unsent_.empty()) look_at_ = std::max(now + events_backoff_.next(), not_before_);
}

Result<> NodeStatusWriter::write(const Work& work) {
  auto text = client_->ask({.path = node_path_, .permission = "get nodes"});
  if (!text) return fail(text);
  const auto node = parse_json(*text);
  if (!node) return failure(EBADMSG, "node " + options_.node_name + ": " + node.error().what);
  const auto plan = plan_node_status(*node, work.readiness, options_.startup_taint,
                                     work.may_take_back, utc_now());
  for (const json& event : plan.events) unsent_.push_back({event});
  write_events();
  // Each is tried, since permissions may allow only one. Taints first: their patch has the Node's
  // resourceVersion that was read, and writing the status changes it.
  auto taints = plan.taints.is_null() ? Result<>() : write_taints(plan.taints);
  auto status = plan.status.is_null() ? Result<>() : write_status(plan.status);
  return status ? taints : status;
}

/// Nothing waits for an Event. One that fails is sent again: the Node's condition has changed by
/// then, so that nothing else would cause it.
void NodeStatusWriter::write_events() {
  for (UnsentEvent& unsent : std::exchange(unsent_, {})) {
    auto written = write_event(unsent.event);
    if (written) continue;
    if (++unsent.tries < kMostTries)
      unsent_.push_back(std::move(unsent));
    else
      log::warn("event not written",
                {{"reason", text_of(unsent.event["reason"])}, {"err", written.error().what}});
  }
  if (unsent_.empty()) events_backoff_.reset();
}

/// An Event that is not allowed, or was written before, is not sent again.
Result<> NodeStatusWriter::write_event(const json& event) {
  auto written = client_->ask({.method = "POST",
                               .path = "/api/v1/namespaces/default/events",
                               .permission = "create events in the namespace default",
                               .content_type = "application/json",
                               .body = compact(event)});
  if (written || written.error().code == EEXIST) return {};
  if (written.error().code != EPERM) return fail(written, "event");
  log::warn("event not written",
            {{"reason", text_of(event["reason"])}, {"err", written.error().what}});
  return {};
}

Result<> NodeStatusWriter::write_status(const json& patch) {
  auto written = client_->ask({.method = "PATCH",
                               .path = node_path_ + "/status",
                               .permission = "patch nodes/status",
                               .content_type = kStrategicMerge,
                               .body = compact(patch)});
  if (!written) return fail(written);
  for (const json& condition : patch["status"]["conditions"])
    log::info("node condition written", {{"type", text_of(condition["type"])},
                                         {"status", text_of(condition["status"])},
                                         {"reason", text_of(condition["reason"])}});
  return {};
}

Result<> NodeStatusWriter::write_taints(const json& patch) {
  auto written = client_->ask({.method = "PATCH",
                               .path = node_path_,
                               .permission = "patch nodes (--startup-taint)",
                               .content_type = kStrategicMerge,
                               .body = compact(patch)});
  if (!written && written.error().code == EEXIST) {  // somebody else was faster
    look_again();
    return {};
  }
  if (!written) return fail(written);
  log::info("start-up taint removed", {{"taint", options_.startup_taint}});
  return {};
}

/// Logs each error once, as long as it lasts.
void NodeStatusWriter::report(const Result<>& done) {
  const std::string error = done ? "" : done.error().what;
  if (error == last_error_) return;
  if (!done)
    log::warn("node status not written", {{"node", options_.node_name}, {"err", error}});
  else
    log::info("node status written again", {{"node", options_.node_name}});
  last_error_ = error;
}

}  // namespace kubecni
