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

/// Of each map pinned below `bpffs` that can be fuller or emptier, by name; arrays
/// cannot. Of a map that changes meanwhile, about so many; so, too, within some
/// percent, of a flow table with more than 2^14 entries, which costs 5 ms then.
/// Errors: ENOENT nothing is pinned; EPERM no CAP_BPF.
Result<std::vector<MapFill>> read_map_fills(const std::filesystem::path& bpffs);

}  // namespace kubecni
