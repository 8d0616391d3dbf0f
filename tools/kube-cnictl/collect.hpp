#pragma once

#include "base/result.hpp"
#include "config/settings.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace kubecni {

/// The folders of the node.
struct NodePaths {
  std::filesystem::path state_dir = default_of("stateDir");
  std::filesystem::path run_dir = default_of("runDir");
  std::filesystem::path bpffs = default_of("bpffs");
};

// The data of the subcommands, as `-o json` prints it. They read the kernel's state, in the
// namespace of the calling thread, and files of the plugin and the daemon for the rest.

/// The daemon's last report, and whether it runs; null without a report.
/// Errors: EBADMSG the report is damaged.
Result<nlohmann::json> daemon_status(const NodePaths& paths);

/// dataplane (loaded or why not), daemon (its last report), pods by path.
Result<nlohmann::json> collect_status(const NodePaths& paths);

/// endpoints: one object per attached pod interface: its pod, its path, and whether map and records
/// agree; damaged: the records that cannot be read.
Result<nlohmann::json> collect_endpoints(const NodePaths& paths);

/// One object per PodCIDR: how and why the daemon wants to reach it, and whether the map and the
/// routes agree.
Result<nlohmann::json> collect_nodes(const NodePaths& paths);

/// One object per exit reason. Errors: ENOENT nothing is loaded.
Result<nlohmann::json> collect_counters(const NodePaths& paths);

}  // namespace kubecni
