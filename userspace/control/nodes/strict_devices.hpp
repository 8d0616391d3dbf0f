#pragma once

#include "control/nodes/peer_path.hpp"
#include "control/outcome.hpp"

#include <set>
#include <string>

namespace kubecni {

/// Those devices of `ways` on which the kernel drops IPv4 packets that it would not send back by
/// them: `rp_filter` is 1 (ip-sysctl.rst). Reads /proc/sys; runs in the node's namespace.
std::set<std::string> find_strict_devices(const Ways& ways);

/// Lets the marks of packets count when the devices ask for the way back (`src_valid_mark`).
void let_marks_decide(const std::set<std::string>& devices, Outcome& outcome);

}  // namespace kubecni
