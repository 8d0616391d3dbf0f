#include "k8s/watch_thread.hpp"

#include "base/signals.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace kubecni {

Result<std::unique_ptr<WatchThread>> WatchThread::start(
    ApiConfig config, const ApiTimings& timings, std::shared_ptr<ApiEndpoints> endpoints,
    const std::vector<AnyInformer*>& informers) {
  auto client = ApiClient::create(std::move(config), timings.deadlines, std::move(endpoints));
  if (!client) return fail(client, "watch the API server");
  std::unique_ptr<WatchThread> watch(new WatchThread(std::move(*client)));
  for (AnyInformer* informer : informers)
    watch->watchers_.push_back(std::make_unique<Watcher>(*watch->client_, *informer, timings));
  try {
    watch->thread_ = std::thread(&WatchThread::run, watch.get());
  } catch (const std::system_error& error) {
    return sys_error(error.code().value(), "watch the API server: start a thread");
  }
  return watch;
}

WatchThread::~WatchThread() {
  client_->stop();
  if (thread_.joinable()) thread_.join();
}

void WatchThread::run() {
  block_all_signals();
  while (!client_->stopped()) {
    auto until = ApiClient::Clock::time_point::max();
    const auto now = ApiClient::Clock::now();
    for (const auto& watcher : watchers_) until = std::min(until, watcher->turn(now));
    client_->turn(until);
  }
}

}  // namespace kubecni
