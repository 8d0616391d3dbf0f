#pragma once

#include "daemon/report.hpp"
#include "dataplane/ebpf_dataplane.hpp"

namespace kubecni {

/// Makes the maps of nodes and of tunnel peers equal to `report.desired`. Adds
/// before it deletes; errors are in the report.
void sync_node_maps(EbpfDataplane& dataplane, ReconcileReport& report);

}  // namespace kubecni
