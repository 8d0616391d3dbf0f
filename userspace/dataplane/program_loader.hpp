#pragma once

#include "base/result.hpp"

#include <cerrno>
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

/// What `open_loaded` opens of what is pinned below `bpffs`; where something of it is not
/// there, load_and_pin() comes first, with its errors. It comes again, should a daemon of
/// another schema remove the pins in between.
template <typename Opened>
Result<Opened> open_or_load(Result<Opened> (*open_loaded)(const std::filesystem::path& bpffs),
                            const std::filesystem::path& bpffs,
                            const std::filesystem::path& run_dir,
                            std::chrono::milliseconds patience) {
  constexpr int kTries = 3;
  auto opened = open_loaded(bpffs);
  for (int i = 0; i < kTries && !opened && opened.error().code == ENOENT; ++i) {
    if (auto pinned = load_and_pin(bpffs, run_dir, patience); !pinned)
      return fail(pinned, "eBPF dataplane");
    opened = open_loaded(bpffs);
  }
  return opened;
}

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
