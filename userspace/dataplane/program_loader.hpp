#pragma once

#include "base/result.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace kubecni {

// Loading takes some ten milliseconds; on a slow machine a second.
inline constexpr std::chrono::seconds kLoadTimeout{30};

/// Loads the programs and maps of this build and pins them below `bpffs`, unless all
/// of them are pinned, under a lock in `run_dir`, for which it waits at most `patience`.
/// Maps that are pinned are kept.
/// Errors: EPERM no CAP_BPF or CAP_NET_ADMIN; those of ensure_bpffs(); the
/// verifier's, with the end of its log.
Result<> load_and_pin(const std::filesystem::path& bpffs, const std::filesystem::path& run_dir,
                      std::chrono::milliseconds patience);

/// What upgrade_programs() did.
struct Upgrade {
  bool differed = false;
  /// Why the programs do not ask conntrack, in libbpf's and the verifier's words; empty: they do.
  std::string no_conntrack_reason;
};

/// Pins the programs of this build in place of others. Those that are attached go
/// on until they are attached again. They differed: were of another build, or of the
/// other kind of asks_conntrack() than this kernel takes now.
Result<Upgrade> upgrade_programs(const std::filesystem::path& bpffs,
                                 const std::filesystem::path& run_dir);

}  // namespace kubecni
