#pragma once

#include "base/result.hpp"
#include "daemon/cluster_view.hpp"
#include "daemon/reconciler.hpp"

#include <filesystem>
#include <string>

namespace kubecni {

/// Writes <run dir>/status.json: what the daemon knows, for kube-cnictl and for
/// people. `source_error` is empty while the source works; `metrics` says where they are.
Result<> write_status(const std::filesystem::path& run_dir, const std::string& node_name,
                      const std::string& source, const std::string& source_error,
                      const std::string& metrics, const ClusterView& view,
                      const ReconcileReport& report);

}  // namespace kubecni
