#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// MTU of a node's pods and of its underlay while the real one is not known, bytes.
inline constexpr unsigned kDefaultMtu = 1500;

/// What the daemon has learned about its own node, for the plugin. It stays on disk, so that ADD
/// works after a reboot before the daemon does.
struct NodeInfo {
  std::string name;
  std::vector<IpNet> pod_cidrs;  ///< in the order of the Node object; the first is the primary
  unsigned mtu = 0;              ///< bytes, for pods' interfaces

  bool operator==(const NodeInfo&) const = default;
};

/// Writes <state dir>/node.json.
Result<> save_node_info(const std::filesystem::path& state_dir, const NodeInfo& info);

/// Empty if the daemon has not learned anything yet.
/// Errors: EBADMSG the file is damaged.
Result<std::optional<NodeInfo>> load_node_info(const std::filesystem::path& state_dir);

}  // namespace kubecni
