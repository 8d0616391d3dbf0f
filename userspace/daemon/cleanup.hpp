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
  std::vector<std::string> pods;  ///< those that still have an interface of kube-cni
  std::vector<std::string> kept;  ///< everything else that stays, and why

  void apply(const Result<>& done, const std::string& what) {
    if (done)
      changes.push_back(what);
    else
      errors.push_back(done.error().what);
  }
};

/// The second step of a cleanup, after Controllers::clean_up(). Detaches the programs from every
/// device and removes the pins. Pods that live keep their traffic by bridge and kernel. What the
/// runtime needs to delete them stays: plugin, list, records and bridge. Without pods these are
/// removed, too. Touches nothing of others: it finds its own files and pins by name, and the bridge
/// by its MAC. Goes on after an error. No daemon may run meanwhile.
CleanupReport clean_up_node(const DaemonOptions& options, const RoundReport& between_nodes);

}  // namespace kubecni
