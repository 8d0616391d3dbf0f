#pragma once

#include "net_conf.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>

namespace kubecni {

/// Plugin configurations by type.
using Partners = std::map<std::string, nlohmann::json>;

/// The configurations of the other plugins in the network's list, by type, from the files in the
/// runtime's configuration folder (`confDir`): a plugin is given only its own. Empty if the folder
/// has no list of this network with kube-cni in it, a file cannot be read, or a folder with the
/// network's name holds further plugins: then any plugin may come after us.
std::optional<Partners> list_partners(const NetConf& conf);

}  // namespace kubecni
