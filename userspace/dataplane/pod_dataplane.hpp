#pragma once

#include "base/result.hpp"
#include "dataplane/endpoint_table.hpp"
#include "dataplane/program_loader.hpp"
#include "dataplane/program_store.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// The eBPF path of pods: their programs, and the table of their addresses. Its effects outlive the
/// process.
class PodDataplane {
 public:
  /// Opens what is pinned below `bpffs`; if something is missing, calls load_and_pin() first, with
  /// its errors.
  static Result<PodDataplane> open(const std::filesystem::path& bpffs,
                                   const std::filesystem::path& run_dir,
                                   const LoadOptions& options = {});

  /// Opens what is pinned and loads nothing. Errors: ENOENT nothing is loaded.
  static Result<PodDataplane> open_loaded(const std::filesystem::path& bpffs);

  /// Attaches the pod's programs, or updates them.
  [[nodiscard]] Result<AttachKind> attach(const Device& host,
                                          AttachKind preferred = AttachKind::kTcx) const {
    return programs.attach(KUBECNI_ON_POD, host, preferred);
  }
  /// What is wrong with the pod's state, a phrase each.
  [[nodiscard]] Result<std::vector<std::string>> differences(const PodEndpoint& pod) const;

  ProgramStore programs;
  EndpointTable endpoints;
};

/// Removes the pod from `endpoints`, like EndpointTable::remove(), and detaches its programs.
Result<> remove_pod(const std::filesystem::path& bpffs, EndpointTable& endpoints,
                    const Device& host, const std::vector<IpAddr>& addresses);

}  // namespace kubecni
