#pragma once

#include "support/node.hpp"

#include <string>
#include <vector>

namespace kubecni::test {

/// The state of a node and of `pods`, a line each: links, addresses, routes, FDB entries,
/// neighbours of ours, settings, pins, map entries, and the plugin's files with their content.
/// Compare two to see what a call has changed. Leaves out what the kernel changes by itself, the
/// count of the plugin's calls, and, with `whole` false, also locks, the address index, the
/// daemon's status and empty folders, which have no effects.
std::string state_of(const Node& node, const std::vector<const Pod*>& pods, bool whole = true);

}  // namespace kubecni::test
