#pragma once

#include <filesystem>

namespace kubecni {

/// Where a node's pins are.
///
///   <bpffs>/v3/maps/<map>       the maps of include/kubecni/maps.h, by schema
///   <bpffs>/v3/progs/<program>  the programs, for ADD to attach without loading
///   <bpffs>/links/<device>_<program>
struct PinPaths {
  explicit PinPaths(const std::filesystem::path& bpffs);
  std::filesystem::path maps;
  std::filesystem::path progs;
  std::filesystem::path links;
};

/// Whether all maps and programs of this build are pinned.
bool is_complete(const PinPaths& pins);

}  // namespace kubecni
