#pragma once

#include "net_conf.hpp"
#include "state/attachment.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace kubecni {

/// The success result of ADD in the version of the configuration, CNI
/// specification section 5: what the plugins before us made, `previous`, and host
/// end, pod end, addresses, routes. "dns" is that of the configuration, or else
/// `ipam_dns`, or else that of the plugins before.
/// Errors: EINVAL the version cannot say it.
Result<nlohmann::json> add_result(const NetConf& conf, const Attachment& attachment,
                                  const nlohmann::json& previous, const nlohmann::json& ipam_dns);

/// The answer to VERSION. `input` is standard input, of which only the
/// cniVersion is looked at, and that may be missing.
nlohmann::json version_result(const std::string& input);

}  // namespace kubecni
