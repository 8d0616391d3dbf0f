#pragma once

#include "base/result.hpp"
#include "kubecni/abi.h"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace kubecni {

// Loading takes some ten milliseconds; on a slow machine a second.
inline constexpr std::chrono::seconds kLoadTimeout{30};

struct LoadOptions {
  std::uint32_t max_flows = KUBECNI_MAX_FLOWS;        ///< of each flow cache that is made
  std::chrono::milliseconds patience = kLoadTimeout;  ///< for the lock
};

/// Loads the programs and maps of this build and pins them below `bpffs`, unless all are pinned.
/// Holds a lock in `run_dir`. Keeps pinned maps.
/// Errors: EPERM no CAP_BPF or CAP_NET_ADMIN; those of ensure_bpffs(); the
/// verifier's, with the end of its log.
Result<> load_and_pin(const std::filesystem::path& bpffs, const std::filesystem::path& run_dir,
                      const LoadOptions& options);

/// Opens pinned objects below `bpffs` by `open_loaded`; if something is missing, calls
/// load_and_pin() first, with its errors. Repeats that if a daemon of another schema removes the
/// pins in between.
template <typename Opened>
Result<Opened> open_or_load(Result<Opened> (*open_loaded)(const std::filesystem::path& bpffs),
                            const std::filesystem::path& bpffs,
                            const std::filesystem::path& run_dir, const LoadOptions& options) {
  constexpr int kTries = 3;
  auto opened = open_loaded(bpffs);
  for (int i = 0; i < kTries && !opened && opened.error().code == ENOENT; ++i) {
    if (auto pinned = load_and_pin(bpffs, run_dir, options); !pinned)
      return fail(pinned, "eBPF dataplane");
    opened = open_loaded(bpffs);
  }
  return opened;
}

/// The result of upgrade_programs().
struct Upgrade {
  bool differed = false;  ///< also: nothing was pinned
  /// Why the programs do not ask conntrack, in libbpf's and the verifier's words; empty: they do.
  std::string no_conntrack_reason;
};

/// Loads the programs of this build, and pins them where there are none, or in place of others if
/// they differ: another build, or the other variant of asks_conntrack(). Attached programs keep
/// running until they are attached again. Errors: those of load_and_pin().
Result<Upgrade> upgrade_programs(const std::filesystem::path& bpffs,
                                 const std::filesystem::path& run_dir,
                                 const LoadOptions& options = {});

}  // namespace kubecni
