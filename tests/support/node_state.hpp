#pragma once

#include "support/node.hpp"

#include <string>
#include <vector>

namespace kubecni::test {

/// What there is on a node and in `pods`, a line each: links, addresses, routes,
/// FDB entries, neighbours of our making, settings, pins, map entries, and the files of the plugin
/// with their content. Two of it are compared to see what a call has changed. Not in it: what the
/// kernel changes by itself, the count of the plugin's calls, and with `whole` false the locks, the
/// address index, the daemon's status and empty folders: nothing follows from them.
std::string state_of(const Node& node, const std::vector<const Pod*>& pods, bool whole = true);

}  // namespace kubecni::test
