#include "daemon/cluster_link.hpp"

#include "base/log.hpp"
#include "control/policy/policy_table.hpp"
#include "k8s/api_node_source.hpp"
#include "k8s/api_policy_source.hpp"
#include "k8s/file_node_source.hpp"
#include "k8s/file_policy_source.hpp"
#include "state/api_endpoints_file.hpp"

#include <string_view>

namespace kubecni {

namespace {

namespace fs = std::filesystem;

std::shared_ptr<ApiEndpoints> known_endpoints(const ApiConfig& config, const fs::path& state_dir) {
  auto addresses = load_endpoints(state_dir, config.server);
  if (!addresses)
    log::warn("addresses of the API servers ignored", {{"err", addresses.error().what}});
  return std::make_shared<ApiEndpoints>(config.servers(),
                                        addresses ? *addresses : std::vector<std::string>());
}

void keep_endpoints(const fs::path& state_dir, const std::string& server,
                    const std::vector<std::string>& addresses) {
  if (auto saved = save_endpoints(state_dir, server, addresses); !saved)
    log::error("addresses of the API servers not saved", {{"err", saved.error().what}});
}

/// Whether policies of before may be in force.
bool may_have_policy_table() {
  auto table = PolicyTable::open();
  if (!table) return false;  // the kernel has no netfilter
  auto exists = table->exists();
  return !exists || *exists;
}

Result<ClusterLink> link_to_api(const DaemonOptions& options) {
  auto config = resolve_api_config(options.api);
  if (!config) return fail(config);
  if (config->is_insecure)
    log::warn(
        "--insecure-skip-tls-verify: the certificate of the API server is not verified, so any "
        "server is trusted",
        {{"server", config->server}});
  auto endpoints = known_endpoints(*config, options.state_dir);
  auto writer = NodeStatusWriter::start(
      *config, endpoints, {.node_name = options.node_name, .startup_taint = options.startup_taint});
  if (!writer) return fail(writer);
  ApiExtras extras{
      .endpoints = endpoints,
      .learned = [state_dir = options.state_dir, server = config->server](
                     const auto& addresses) { keep_endpoints(state_dir, server, addresses); },
      .own_node_changed = [&writer = **writer] { writer.look_again(); },
      .own_name = options.node_name};
  std::unique_ptr<PolicySource> policies;
  if (options.network_policy && options.policy_file.empty()) {
    auto created = ApiPolicySource::create(
        {.node_name = options.node_name, .has_table = may_have_policy_table()});
    if (!created) return fail(created);
    extras.others = (*created)->informers();
    // Kinds wait for each other at a server that does not answer, and the nodes come first.
    extras.reached = [&policies = **created] { policies.begin(); };
    policies = std::move(*created);
  }
  auto source = ApiNodeSource::start(std::move(*config), {}, std::move(extras));
  if (!source) return fail(source);
  return ClusterLink{.status_writer = std::move(*writer),
                     .policies = std::move(policies),
                     .source = std::move(*source)};
}

Result<ClusterLink> link_to_nodes(const DaemonOptions& options) {
  constexpr std::string_view kFilePrefix = "file:";
  if (!options.node_source.starts_with(kFilePrefix)) return link_to_api(options);
  auto source = FileNodeSource::open(options.node_source.substr(kFilePrefix.size()));
  if (!source) return fail(source);
  return ClusterLink{.status_writer = nullptr, .policies = nullptr, .source = std::move(*source)};
}

}  // namespace

Result<ClusterLink> open_cluster_link(const DaemonOptions& options) {
  auto link = link_to_nodes(options);
  if (!link || !options.network_policy || options.policy_file.empty()) return link;
  auto policies = FilePolicySource::open(options.policy_file);
  if (!policies) return fail(policies);
  link->policies = std::move(*policies);
  return link;
}

}  // namespace kubecni
