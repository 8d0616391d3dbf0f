#pragma once

#include "control/outcome.hpp"
#include "net/link.hpp"

#include <set>
#include <vector>

namespace kubecni {

/// Those of `links` on which the kernel drops IPv4 packets that it would not send back by them:
/// `rp_filter` is 1 (ip-sysctl.rst). Reads /proc/sys; runs in the node's namespace.
std::set<unsigned> find_strict_links(const std::vector<Link>& links);

/// Lets the marks of packets count when such a link asks for the way back (`src_valid_mark`).
void let_marks_decide(const std::vector<Link>& links, const std::set<unsigned>& strict,
                      Outcome& outcome);

}  // namespace kubecni
