#pragma once

#include "k8s/any_informer.hpp"
#include "k8s/api_client.hpp"
#include "k8s/backoff.hpp"
#include "k8s/list_decoder.hpp"
#include "k8s/watch_decoder.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace kubecni {

/// The timeouts of a Watcher.
struct ApiTimings {
  ApiDeadlines deadlines;
  std::chrono::milliseconds first_retry{100};
  std::chrono::milliseconds slowest_retry{30'000};
};

/// Keeps one informer equal to the API server: a list, then a watch, by requests of `client`. Runs
/// on the client's thread.
///
/// A watch that ends or breaks continues where it was; that is no error. It lists again only if the
/// server's history does not reach back far enough (410).
class Watcher {
 public:
  using Clock = ApiClient::Clock;

  /// Both outlive it.
  Watcher(ApiClient& client, AnyInformer& informer, const ApiTimings& timings);
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  /// Begins the next request if it is due. If the informer is held, gives up the one that runs, and
  /// makes the informer forget. Result: when to call again at the latest.
  Clock::time_point turn(Clock::time_point now);

 private:
  void begin();
  void give_up();
  void list(const std::string& continue_token);
  void end_page(Result<> listed, std::chrono::milliseconds retry_after);
  void watch();
  void end_watch(Result<> ended, std::chrono::milliseconds retry_after);
  Result<> take_items(std::string_view bytes);
  Result<> take_events(std::string_view bytes);
  void rest(std::chrono::milliseconds retry_after);
  [[nodiscard]] std::string path_with(const std::string& query) const;

  ApiClient& client_;
  AnyInformer& informer_;
  Backoff backoff_;
  Clock::time_point next_{};  ///< when the next request may begin; max(): one runs
  bool has_begun_ = false;    ///< since the informer was held
  const ApiCall* running_ = nullptr;
  std::optional<ListDecoder> page_;
  std::optional<WatchDecoder> events_;
  std::optional<Clock::time_point> opened_;  ///< when the watch that runs was answered
};

}  // namespace kubecni
