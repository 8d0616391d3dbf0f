#include "k8s/api_policy_source.hpp"

#include "k8s/peer_need.hpp"

#include <sys/epoll.h>

#include <cerrno>

namespace kubecni {

namespace {

template <typename Object>
std::vector<Shared<Object>> objects_of(const ObjectTable<Object>& table) {
  std::vector<Shared<Object>> objects;
  objects.reserve(table.objects().size());
  for (const auto& [key, object] : table.objects()) objects.push_back(object);
  return objects;
}

}  // namespace

Result<std::unique_ptr<ApiPolicySource>> ApiPolicySource::create(Options options) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return sys_error(errno, "watch policies");
  std::unique_ptr<ApiPolicySource> source(
      new ApiPolicySource(std::move(options), std::move(epoll)));
  if (auto made = source->make_informers(); !made) return fail(made);
  for (AnyInformer* informer : source->informers()) {
    informer->hold();
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (::epoll_ctl(source->fd(), EPOLL_CTL_ADD, informer->fd(), &event) != 0)
      return sys_error(errno, "watch policies");
  }
  return source;
}

Result<> ApiPolicySource::make_informers() {
  const std::string& node = options_.node_name;
  auto policies = Informer<NetworkPolicy>::create(
      kNetworkPolicies, {.changed = [this](const auto&) { decide_what_to_watch(); }});
  if (!policies) return fail(policies);
  auto spaces = Informer<Namespace>::create(kNamespaces);
  if (!spaces) return fail(spaces);
  auto pods = Informer<Pod>::create(node.empty() ? kPods : pods_of(node),
                                    {.changed = [this](const auto&) { decide_what_to_watch(); }});
  if (!pods) return fail(pods);
  auto peers = Informer<Pod>::create(pods_elsewhere_than(node));
  if (!peers) return fail(peers);
  policies_ = std::move(*policies);
  spaces_ = std::move(*spaces);
  pods_ = std::move(*pods);
  peers_ = std::move(*peers);
  return {};
}

std::vector<AnyInformer*> ApiPolicySource::informers() const {
  return {policies_.get(), spaces_.get(), pods_.get(), peers_.get()};
}

bool ApiPolicySource::need_peers(const PolicyObjects& objects) const {
  return !options_.node_name.empty() && needs_peers(objects.policies, objects.pods);
}

/// On the WatchThread, after each change of policies or pods.
void ApiPolicySource::decide_what_to_watch() {
  const PolicyObjects objects{.policies = policies_->read(objects_of<NetworkPolicy>),
                              .pods = pods_->read(objects_of<Pod>)};
  const auto watch_if = [until = Clock::now() + options_.linger](AnyInformer& informer,
                                                                 bool is_needed) {
    is_needed ? informer.release() : informer.hold(until);
  };
  watch_if(*spaces_, !objects.policies.empty());
  watch_if(*pods_, !objects.policies.empty());
  watch_if(*peers_, need_peers(objects));
}

/// Empty: something of it is not known yet.
std::optional<PolicyObjects> ApiPolicySource::snapshot() {
  auto policies = policies_->read_listed(objects_of<NetworkPolicy>);
  if (!policies) return std::nullopt;
  PolicyObjects objects{.policies = std::move(*policies)};
  need_peers_ = false;
  if (objects.policies.empty()) return objects;
  auto spaces = spaces_->read_listed(objects_of<Namespace>);
  auto pods = pods_->read_listed(objects_of<Pod>);
  if (!spaces || !pods) return std::nullopt;
  objects.spaces = std::move(*spaces);
  objects.pods = std::move(*pods);
  need_peers_ = need_peers(objects);
  if (!need_peers_) return objects;
  auto peers = peers_->read_listed(objects_of<Pod>);
  objects.awaits_peers = !peers;
  if (peers) objects.peers = std::move(*peers);
  return objects;
}

bool ApiPolicySource::take() {
  bool has_news = false;
  for (AnyInformer* informer : informers())
    while (informer->take()) has_news = true;
  if (!has_news) return false;
  auto objects = snapshot();
  if (!objects) return false;
  if (is_known_ ? *objects == objects_ : objects->awaits_peers && options_.has_table) return false;
  objects_ = std::move(*objects);
  is_known_ = true;
  return true;
}

std::string ApiPolicySource::error() const {
  for (const AnyInformer* informer : informers()) {
    if (informer == peers_.get() && !need_peers_) continue;
    if (std::string error = informer->status().error; !error.empty()) return error;
  }
  return "";
}

}  // namespace kubecni
