#pragma once

#include "base/mac.hpp"
#include "base/result.hpp"
#include "dataplane/program.hpp"
#include "support/process.hpp"
#include "support/programs.hpp"
#include "support/temp_dir.hpp"

#include <filesystem>
#include <string>

namespace kubecni::test {

/// Whether this process may load programs. Otherwise a test is skipped.
bool may_run_bpf();
inline constexpr const char* kWhySkipped = "needs root, to load eBPF programs";

/// The namespaces of all tests of this process: a network and a /sys/fs/bpf, which the kernel
/// removes when the process ends, in whatever way.
class PrivateNamespaces {
 public:
  /// Moves the calling thread there, once.
  static const PrivateNamespaces& enter();

  [[nodiscard]] const std::filesystem::path& bpffs() const { return bpffs_; }
  [[nodiscard]] std::filesystem::path run_dir() const { return run_dir_.path(); }

 private:
  PrivateNamespaces();
  std::filesystem::path bpffs_;
  TempDir run_dir_;
};

/// A veth of this namespace; its other end is <name>_peer. Both are up.
Device add_device(const std::string& name, const MacAddr& mac = {{2, 0, 0, 0, 0, 1}});
void remove_device(const Device& device);

}  // namespace kubecni::test
