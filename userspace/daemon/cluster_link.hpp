#pragma once

#include "base/result.hpp"
#include "control/node_status/node_status_writer.hpp"
#include "control/options.hpp"
#include "k8s/node_source.hpp"
#include "k8s/policy_source.hpp"

#include <memory>

namespace kubecni {

/// What connects the daemon with the cluster.
struct ClusterLink {
  /// Writes to the Node object whether the node can take pods; null: the nodes come from a file.
  std::unique_ptr<NodeStatusWriter> status_writer;
  std::unique_ptr<PolicySource> policies;  ///< null: network policies are off
  std::unique_ptr<NodeSource> source;      ///< uses the others, so it has to be destroyed first
};

/// Opens the source that `options.node_source` names. Keeps the addresses of the API servers in
/// <state dir>/api-endpoints.json.
/// Errors: those of resolve_api_config() and of the sources.
Result<ClusterLink> open_cluster_link(const DaemonOptions& options);

}  // namespace kubecni
