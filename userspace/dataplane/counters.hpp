#pragma once

#include "base/result.hpp"
#include "kubecni/abi.h"

#include <array>
#include <cstdint>
#include <filesystem>

namespace kubecni {

/// One exit reason, for display.
struct ExitReason {
  const char* name;  ///< "FAST_TO_NODE"
  kubecni_verdict verdict;
  kubecni_programs programs;  ///< the programs that may give it
  const char* text;           ///< "eBPF: from a pod to ..."
};

/// In the order of the keys of `exit_counts`.
extern const std::array<ExitReason, KUBECNI_EXIT_REASON_COUNT> kExitReasons;

/// Packets and bytes by exit reason, summed over the CPUs.
using ExitCounts = std::array<kubecni_count, KUBECNI_EXIT_REASON_COUNT>;

/// Reads the counters pinned below `bpffs`.
/// Errors: ENOENT nothing is loaded; EPERM no CAP_BPF.
Result<ExitCounts> read_exit_counts(const std::filesystem::path& bpffs);

/// The counters of the map pinned at `pin`.
Result<ExitCounts> read_exit_counts_at(const std::filesystem::path& pin);

}  // namespace kubecni
