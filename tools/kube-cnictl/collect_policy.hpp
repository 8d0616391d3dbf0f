#pragma once

#include "collect.hpp"

namespace kubecni {

/// daemon: what kube-cnid knows of the network policies, with this node's pods, null without a
/// report; running: whether kube-cnid runs; hasTable: whether the kernel has the policies' table;
/// chains: the table's chains, with the packets that each has denied.
Result<nlohmann::json> collect_policy(const NodePaths& paths);

}  // namespace kubecni
