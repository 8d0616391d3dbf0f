#pragma once

#include "base/result.hpp"
#include "config/settings.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace kubecni {

/// Where the node that is asked about keeps its things.
struct NodePaths {
  std::filesystem::path state_dir = default_of("stateDir");
  std::filesystem::path run_dir = default_of("runDir");
  std::filesystem::path bpffs = default_of("bpffs");
};

// What a subcommand knows, as `-o json` prints it. Each reads the kernel's own
// state where there is one, in the namespace of the calling thread, and what
// the plugin and the daemon left in files for the rest.

/// What the daemon reported last, and whether it runs; null when it has not reported.
/// Errors: EBADMSG the report is damaged.
Result<nlohmann::json> daemon_status(const NodePaths& paths);

/// dataplane (loaded or why not), daemon (what it reported last), pods by path.
Result<nlohmann::json> collect_status(const NodePaths& paths);

/// endpoints: one object per attached pod interface, who it is, on which path,
/// and whether map and records agree; damaged: the records that cannot be read.
Result<nlohmann::json> collect_endpoints(const NodePaths& paths);

/// One object per PodCIDR: how and why the daemon wants it to be reached, and whether
/// the map and the routes have it so.
Result<nlohmann::json> collect_nodes(const NodePaths& paths);

/// One object per exit reason. Errors: ENOENT nothing is loaded.
Result<nlohmann::json> collect_counters(const NodePaths& paths);

}  // namespace kubecni
