#pragma once

#include "support/node.hpp"

namespace kubecni::test {

/// Detaches all programs that links hold; they are off when this returns.
void detach_programs(const Node& node);

/// Empties the maps that say where pods and nodes are, and who may use the tunnel.
void empty_maps(const Node& node);

/// Makes the programs forget all flow verdicts.
void empty_flows(const Node& node);

/// Writes more flows than there is room for, to evict the old ones.
void fill_flows(const Node& node);

/// Fills the node's conntrack with flows without answers, beyond nf_conntrack_max.
void fill_conntrack(const Node& node);

}  // namespace kubecni::test
