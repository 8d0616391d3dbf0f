#pragma once

#include "net_conf.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>

namespace kubecni {

/// Configurations of plugins by their type.
using Partners = std::map<std::string, nlohmann::json>;

/// The other plugins of the network's list with their configurations, by type, from the
/// files in the runtime's configuration folder (`confDir`): a plugin is told only its own.
/// Empty when the folder has no list of this network with kube-cni in it, or a file
/// that cannot be read, or further plugins in a folder of the network's name: then
/// anything may come after us.
std::optional<Partners> list_partners(const NetConf& conf);

}  // namespace kubecni
