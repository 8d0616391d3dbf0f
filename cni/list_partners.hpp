#pragma once

#include "net_conf.hpp"

#include <optional>
#include <set>
#include <string>

namespace kubecni {

/// The types of the other plugins of the network's list, by the files of the runtime's
/// configuration folder (`confDir`). A plugin is told its own configuration only.
/// Empty when the folder has no list of this network with kube-cni in it, or a file
/// that cannot be read, or further plugins in a folder of the network's name: then
/// anything may come after us.
std::optional<std::set<std::string>> list_partners(const NetConf& conf);

}  // namespace kubecni
