#pragma once

#include "base/result.hpp"
#include "dataplane/endpoint_table.hpp"
#include "dataplane/program_loader.hpp"
#include "dataplane/program_store.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// The eBPF path of pods: their programs, and the table of their addresses. What it
/// sets up outlives the process.
class PodDataplane {
 public:
  /// Opens what is pinned below `bpffs`; where that is not there, load_and_pin() comes
  /// first, with its errors.
  static Result<PodDataplane> open(const std::filesystem::path& bpffs,
                                   const std::filesystem::path& run_dir,
                                   std::chrono::milliseconds patience = kLoadTimeout);

  /// Opens what is pinned and loads nothing. Errors: ENOENT nothing is loaded.
  static Result<PodDataplane> open_loaded(const std::filesystem::path& bpffs);

  /// Attaches the pod's programs, or brings them up to date.
  [[nodiscard]] Result<AttachKind> attach(const Device& host,
                                          AttachKind preferred = AttachKind::kTcx) const {
    return programs.attach(KUBECNI_ON_POD, host, preferred);
  }
  /// What of the pod's state is not as it should be, a phrase each.
  [[nodiscard]] Result<std::vector<std::string>> differences(const PodEndpoint& pod) const;

  ProgramStore programs;
  EndpointTable endpoints;
};

/// Takes the pod out of `endpoints`, as EndpointTable::remove() does, and its programs off.
Result<> remove_pod(const std::filesystem::path& bpffs, EndpointTable& endpoints,
                    const Device& host, const std::vector<IpAddr>& addresses);

}  // namespace kubecni
