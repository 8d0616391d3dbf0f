#pragma once

#include "metrics/family.hpp"

namespace kubecni {

/// The resources that this process uses, under the names of every Prometheus client library. Leaves
/// out what /proc does not tell.
Families process_metrics();

}  // namespace kubecni
