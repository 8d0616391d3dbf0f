#pragma once

#include "base/result.hpp"
#include "daemon/desired_state.hpp"
#include "state/daemon_status.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// What one run of the Reconciler found and did.
struct ReconcileReport {
  DesiredState desired;
  std::string dataplane;            ///< "ebpf" or "bridge"
  std::string fallback_reason;      ///< why "bridge", unless it was asked for
  std::string no_conntrack_reason;  ///< why the programs cannot ask it, where they cannot
  std::string offload;              ///< of checksums on the tunnel device: what it is, and why
  /// Why the bridge, or what the plugin is told, is not as wanted; empty when both are.
  std::string bridge_error = "not looked at yet";
  CniState cni;
  std::vector<std::string> changes;
  std::vector<std::string> errors;
  /// When to run again at the latest, where that is before the usual time.
  std::optional<std::chrono::milliseconds> again_in;

  /// Notes the outcome of one step: `what` was changed, or why it was not.
  void apply(const Result<>& done, const std::string& what) {
    if (done)
      changes.push_back(what);
    else
      errors.push_back(done.error().what);
  }
};

}  // namespace kubecni
