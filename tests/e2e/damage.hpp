#pragma once

#include "support/node.hpp"

namespace kubecni::test {

/// Takes all programs off that are held by links; they are off when this returns.
void detach_programs(const Node& node);

/// Empties the maps that say where pods and nodes are, and who may use the tunnel.
void empty_maps(const Node& node);

/// Makes the programs forget all verdicts on flows.
void empty_flows(const Node& node);

/// Writes more flows than there is room for, so that what was there is evicted.
void fill_flows(const Node& node);

}  // namespace kubecni::test
