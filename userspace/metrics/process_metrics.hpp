#pragma once

#include "metrics/family.hpp"

namespace kubecni {

/// What this process takes of the node, under the names that every Prometheus client
/// library has. What /proc does not tell is left out.
Families process_metrics();

}  // namespace kubecni
