#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// How full a map is.
struct MapFill {
  std::string name;
  std::uint64_t entries = 0;
  std::uint64_t max_entries = 0;
};

/// The fill of each map pinned below `bpffs` but arrays, by name. Approximate for maps that change
/// meanwhile, and, within some percent, for flow tables with more than 2^14 entries, which take 5
/// ms.
/// Errors: ENOENT nothing is pinned; EPERM no CAP_BPF.
Result<std::vector<MapFill>> read_map_fills(const std::filesystem::path& bpffs);

}  // namespace kubecni
