#include "k8s/api_policy_source.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

namespace kubecni {

namespace {

template <typename Object>
std::vector<Shared<Object>> copy_of(const Informer<Object>& informer) {
  std::vector<Shared<Object>> objects;
  informer.read([&](const ObjectTable<Object>& table) {
    objects.reserve(table.objects().size());
    for (const auto& [key, object] : table.objects()) objects.push_back(object);
  });
  return objects;
}

}  // namespace

Result<std::unique_ptr<ApiPolicySource>> ApiPolicySource::create() {
  auto pods = Pods::create(kPods);
  if (!pods) return fail(pods);
  auto spaces = Spaces::create(kNamespaces);
  if (!spaces) return fail(spaces);
  const std::array<AnyInformer*, 2> others{pods->get(), spaces->get()};
  for (AnyInformer* other : others) other->hold();
  auto policies = Policies::create(kNetworkPolicies, {.seen = [others](const std::string&) {
                                     for (AnyInformer* other : others) other->release();
                                   }});
  if (!policies) return fail(policies);
  (*policies)->hold();
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return sys_error(errno, "watch policies");
  for (const int fd : {(*policies)->fd(), (*pods)->fd(), (*spaces)->fd()}) {
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return sys_error(errno, "watch policies");
  }
  return std::unique_ptr<ApiPolicySource>(new ApiPolicySource(
      std::move(*policies), std::move(*pods), std::move(*spaces), std::move(epoll)));
}

std::vector<AnyInformer*> ApiPolicySource::informers() const {
  return {policies_.get(), pods_.get(), spaces_.get()};
}

bool ApiPolicySource::take() {
  bool has_changed = false;
  const auto informers = this->informers();
  for (std::size_t i = 0; i < informers.size(); ++i) {
    State& state = states_[i];
    while (auto news = informers[i]->take()) {
      state.error = *news ? "" : news->error().what;
      if (!*news) continue;
      has_changed = has_changed || !state.is_known || !(*news)->empty();
      state.is_known = true;
    }
  }
  return has_changed && is_known();
}

bool ApiPolicySource::is_known() const {
  if (!states_[0].is_known) return false;
  const bool has_none = policies_->read([](const auto& table) { return table.objects().empty(); });
  return has_none || std::ranges::all_of(states_, &State::is_known);
}

PolicyObjects ApiPolicySource::read() const {
  return {.policies = copy_of(*policies_), .pods = copy_of(*pods_), .spaces = copy_of(*spaces_)};
}

std::string ApiPolicySource::error() const {
  for (const State& state : states_)
    if (!state.error.empty()) return state.error;
  return "";
}

}  // namespace kubecni
