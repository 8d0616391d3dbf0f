#include "k8s/api_endpoints.hpp"

#include <algorithm>
#include <utility>

namespace kubecni {

ApiEndpoints::ApiEndpoints(std::vector<std::string> servers, std::vector<std::string> addresses)
    : servers_(std::move(servers)),
      addresses_(std::move(addresses)),
      current_{.server = servers_.front(), .address = ""} {}

ApiEndpoint ApiEndpoints::current(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const ApiEndpoint first{.server = servers_.front(), .address = ""};
  if (current_ != first && now >= try_first_at_) {
    worked_ = std::exchange(current_, first);
    try_first_at_ = now + kTryFirstAfter;
  }
  return current_;
}

std::size_t ApiEndpoints::count() const {
  const std::lock_guard lock(mutex_);
  return servers_.size() + addresses_.size();
}

void ApiEndpoints::failed(const ApiEndpoint& tried, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (tried != current_) return;
  if (worked_) {
    current_ = *std::exchange(worked_, std::nullopt);
    return;
  }
  try_first_at_ = now + kTryFirstAfter;
  const auto endpoints = all();
  const auto found = std::ranges::find(endpoints, tried);
  const bool has_next = found != endpoints.end() && std::next(found) != endpoints.end();
  current_ = has_next ? *std::next(found) : endpoints.front();
}

bool ApiEndpoints::learn(std::vector<std::string> addresses) {
  std::ranges::sort(addresses);
  const std::lock_guard lock(mutex_);
  if (addresses.empty() || addresses == addresses_) return false;
  addresses_ = std::move(addresses);
  worked_.reset();
  // A removed server may still answer for long, with outdated data.
  const bool has_left = !current_.address.empty() &&
                        std::ranges::find(addresses_, current_.address) == addresses_.end();
  if (has_left) current_ = all().front();
  return true;
}

/// The caller holds the mutex.
std::vector<ApiEndpoint> ApiEndpoints::all() const {
  std::vector<ApiEndpoint> endpoints;
  endpoints.reserve(servers_.size() + addresses_.size());
  for (const auto& server : servers_) endpoints.push_back({server, ""});
  for (const auto& address : addresses_) endpoints.push_back({servers_.front(), address});
  return endpoints;
}

}  // namespace kubecni
