#include "k8s/api_node_source.hpp"

#include <utility>

namespace kubecni {

namespace {

using LearnedHook = std::function<void(const ObjectTable<ApiServers>&)>;

/// Tells `endpoints` where the servers are, in case the configured address does not work, like a
/// ClusterIP before kube-proxy runs.
LearnedHook learner(std::shared_ptr<ApiEndpoints> endpoints,
                    std::function<void(const std::vector<std::string>&)> learned) {
  return [endpoints = std::move(endpoints), learned = std::move(learned)](const auto& slices) {
    for (const auto& [name, servers] : slices.objects())
      if (endpoints->learn(servers->addresses)) learned(servers->addresses);
  };
}

/// Says that the server answers, and watches the Node `own_name` for changes.
std::function<void(const std::string&)> node_hook(const ApiExtras& extras) {
  return [name = extras.own_name, changed = extras.own_node_changed,
          reached = extras.reached](const std::string& key) {
    if (reached) reached();
    if (changed && key == name) changed();
  };
}

}  // namespace

Result<std::unique_ptr<NodeSource>> ApiNodeSource::start(ApiConfig config, ApiTimings timings,
                                                         ApiExtras extras) {
  if (!extras.endpoints) extras.endpoints = std::make_shared<ApiEndpoints>(config.servers());
  auto nodes = Nodes::create(kNodes, {.seen = node_hook(extras)});
  if (!nodes) return fail(nodes);
  std::vector<AnyInformer*> informers{nodes->get()};
  std::unique_ptr<Servers> servers;
  // Over plain HTTP, a learned address could be anybody's.
  if (extras.learned && config.server.starts_with("https://")) {
    auto made =
        Servers::create(kApiServers, {.changed = learner(extras.endpoints, extras.learned)});
    if (!made) return fail(made);
    servers = std::move(*made);
    informers.push_back(servers.get());
  }
  informers.insert(informers.end(), extras.others.begin(), extras.others.end());
  auto thread = WatchThread::start(std::move(config), timings, extras.endpoints, informers);
  if (!thread) return fail(thread);
  return std::unique_ptr<NodeSource>(
      new ApiNodeSource(std::move(*nodes), std::move(servers), std::move(*thread)));
}

std::optional<Result<NodeNews>> ApiNodeSource::take() {
  auto news = nodes_->take();
  if (!news) return std::nullopt;
  if (!*news) return fail(*news);
  const bool is_first = !std::exchange(was_told_, true);
  NodeNews told{.has_changed = is_first || !(*news)->empty()};
  if (!is_first)
    for (Delta& delta : **news) told.names.push_back(std::move(delta.key));
  return told;
}

void ApiNodeSource::read(const std::function<void(const NodeSnapshot&)>& look) const {
  nodes_->read([&](const NodeTable& table) { look(table.snapshot()); });
}

}  // namespace kubecni
