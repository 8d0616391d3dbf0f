#pragma once

#include "scenario.hpp"

#include <vector>

namespace kubecni::cnicheck {

/// Attaches containers until the plugin has no address left, and returns them.
/// Errors: ENOTSUP the configuration names no subnet, or one of more than 1024
/// addresses; EPROTO more ADDs succeeded than the subnet has addresses.
Result<std::vector<Attachment*>> fill_pool(Scenario& scenario);

}  // namespace kubecni::cnicheck
