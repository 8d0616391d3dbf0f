#pragma once

#include "base/result.hpp"
#include "control/options.hpp"
#include "daemon/round_report.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// What `kube-cnid cleanup` did, and what it left on the node.
struct CleanupReport {
  std::vector<std::string> changes;
  std::vector<std::string> errors;
  std::vector<std::string> pods;  ///< that still have their interface from kube-cni
  std::vector<std::string> kept;  ///< everything else that stays, and why

  void apply(const Result<>& done, const std::string& what) {
    if (done)
      changes.push_back(what);
    else
      errors.push_back(done.error().what);
  }
};

/// What comes after Controllers::clean_up(): takes the programs off every device and their
/// pins away. Pods that live go on by bridge and kernel, and what the runtime needs to
/// delete them stays: plugin, its list, records and bridge. Without pods these go, too.
/// Nothing of others is touched: files and pins go by their names, the bridge by its MAC.
/// Goes on after an error. Nobody else may be reconciling the node.
CleanupReport clean_up_node(const DaemonOptions& options, const RoundReport& between_nodes);

}  // namespace kubecni
