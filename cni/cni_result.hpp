#pragma once

#include "dataplane/attachment.hpp"
#include "net_conf.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace kubecni {

/// The success result of ADD in the version of the configuration, CNI
/// specification section 5: host end, pod end, address, default route.
nlohmann::json add_result(const NetConf& conf, const Attachment& attachment);

/// The answer to VERSION. `input` is standard input, of which only the
/// cniVersion is looked at, and that may be missing.
nlohmann::json version_result(const std::string& input);

}  // namespace kubecni
