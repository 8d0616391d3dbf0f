#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "pods/removal.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// The pools in `cidrs`, of any network, that have no address for another pod: "10.1.0.0/24 has no
/// address for another pod: 253 of 253 are in use". Errors: those of listing the leases.
Result<std::vector<std::string>> find_full_pools(const PodPaths& paths,
                                                 const std::vector<IpNet>& cidrs);

}  // namespace kubecni
