#pragma once

#include "base/result.hpp"
#include "cluster/cluster_view.hpp"
#include "cluster/node.hpp"

#include <filesystem>
#include <optional>

namespace kubecni {

/// The cluster as it was last seen, on disk so that a node works after a reboot
/// without an API server.
struct LastKnown {
  NodeSnapshot snapshot;
  Incumbents decided;  ///< with this node, also while its object is not in the snapshot
};

/// Writes <state dir>/cluster.json, with what `view` decided of `snapshot`, unless it says
/// the same already.
Result<> save_last_known(const std::filesystem::path& state_dir, const NodeSnapshot& snapshot,
                         const ClusterView& view);

/// Empty when nothing was saved yet. Errors: EBADMSG the file is damaged.
Result<std::optional<LastKnown>> load_last_known(const std::filesystem::path& state_dir);

}  // namespace kubecni
