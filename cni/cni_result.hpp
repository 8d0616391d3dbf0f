#pragma once

#include "net_conf.hpp"
#include "state/attachment.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace kubecni {

/// The success result of ADD in the version of the configuration, CNI specification section 5: what
/// the plugins before us made (`previous`), then host end, pod end, addresses and routes. "dns"
/// comes from the configuration, else from `ipam_dns`, else from the plugins before.
/// Errors: EINVAL the version cannot express it.
Result<nlohmann::json> add_result(const NetConf& conf, const Attachment& attachment,
                                  const nlohmann::json& previous, const nlohmann::json& ipam_dns);

/// The answer to VERSION. Of standard input, `input`, only the cniVersion is read, and it may be
/// missing.
nlohmann::json version_result(const std::string& input);

}  // namespace kubecni
