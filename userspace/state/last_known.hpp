#pragma once

#include "base/result.hpp"
#include "cluster/cluster_view.hpp"
#include "cluster/node.hpp"

#include <filesystem>
#include <optional>

namespace kubecni {

/// The cluster as it was last seen. It is on disk, so that a node works after a reboot without an
/// API server.
struct LastKnown {
  NodeSnapshot snapshot;
  Incumbents decided;  ///< includes this node, even while the snapshot lacks its Node object
};

/// Writes `snapshot`, and what `view` decided about it, to <state dir>/cluster.json, unless the
/// file already has this content.
Result<> save_last_known(const std::filesystem::path& state_dir, const NodeSnapshot& snapshot,
                         const ClusterView& view);

/// Empty if nothing was saved yet. Errors: EBADMSG the file is damaged.
Result<std::optional<LastKnown>> load_last_known(const std::filesystem::path& state_dir);

}  // namespace kubecni
