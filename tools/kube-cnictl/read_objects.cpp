#include "read_objects.hpp"

#include "base/file.hpp"
#include "k8s/api_config.hpp"
#include "k8s/api_policy_source.hpp"
#include "k8s/watch_thread.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace kubecni {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kApiPatience{10};

Result<PolicyObjects> read_from_file(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text, "policy file");
  auto objects = parse_policy_objects(*text);
  if (!objects) return fail(objects, "policy file " + path);
  return objects;
}

Result<PolicyObjects> await(ApiPolicySource& source) {
  const auto deadline = Clock::now() + kApiPatience;
  while (!source.is_known()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return failure(ETIMEDOUT, "the API server does not answer");
    pollfd news{.fd = source.fd(), .events = POLLIN};
    if (::poll(&news, 1, static_cast<int>(left.count())) < 0 && errno != EINTR)
      return sys_error(errno, "poll");
    source.take();
    if (!source.error().empty()) return failure(EREMOTEIO, source.error());
  }
  return source.read();
}

Result<PolicyObjects> read_from_api(const PolicyOrigin& origin) {
  auto config = resolve_api_config({.kubeconfig = origin.kubeconfig,
                                    .api_servers = origin.api_servers,
                                    .ca_file = origin.ca_file,
                                    .token_file = origin.token_file,
                                    .insecure_skip_tls_verify = origin.is_insecure});
  if (!config) return fail(config);
  auto source = ApiPolicySource::create({});
  if (!source) return fail(source);
  (*source)->begin();
  // The thread has to end first.
  auto thread = WatchThread::start(std::move(*config), {}, nullptr, (*source)->informers());
  if (!thread) return fail(thread);
  return await(**source);
}

}  // namespace

Result<PolicyObjects> read_policy_objects(const PolicyOrigin& origin) {
  return origin.policy_file.empty() ? read_from_api(origin) : read_from_file(origin.policy_file);
}

}  // namespace kubecni
