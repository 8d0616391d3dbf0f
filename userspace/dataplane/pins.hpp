#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// Where a node's pins are.
///
///   <bpffs>/v4/maps/<map>       the maps of include/kubecni/maps.h, by schema
///   <bpffs>/v4/progs/<program>  the programs, for ADD to attach without loading
///   <bpffs>/links/<device>_<program>
struct PinPaths {
  explicit PinPaths(const std::filesystem::path& bpffs);
  std::filesystem::path maps;
  std::filesystem::path progs;
  std::filesystem::path links;
};

/// The schemas that have pins: "v2", "v3". Errors: those of readdir(3).
Result<std::vector<std::string>> list_schemas(const std::filesystem::path& bpffs);

/// Removes the pins of a schema, `folder` is "<bpffs>/v2"; foreign files in it stay.
Result<> remove_schema(const std::filesystem::path& folder);

/// Whether all maps and programs of this build are pinned.
bool is_complete(const PinPaths& pins);

}  // namespace kubecni
