#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "dataplane/program.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

// Moves a node from the maps of another schema, older or newer, to those of this build, while pods
// run. The daemon fills its maps, switches the programs of each device in place, and then removes
// the rest. Each step may be repeated.

/// The pins of other schemas: "<bpffs>/v2", ... Errors: those of readdir(3).
Result<std::vector<std::filesystem::path>> other_schemas(const std::filesystem::path& bpffs);

/// Copies what only packets have taught the other schema: which flows the kernel path carries. Our
/// entries stay. Skips maps whose layout differs or that we do not have: the programs ask about
/// their flows again. The caller fills what records or the cluster tell. Errors: ENOENT ours are
/// not pinned.
Result<> carry_over_flows(const std::filesystem::path& bpffs);

/// Removes the pod with these addresses in the network from the other schemas' endpoints. Otherwise
/// pods that run their programs would send to an interface that is gone. The values may have any
/// layout; nothing can be done if the keys differ from ours.
Result<> erase_from_other_schemas(const std::filesystem::path& bpffs, unsigned network,
                                  const std::vector<IpAddr>& addresses);

/// Whether the device runs programs of ours other than those pinned by this build.
Result<bool> runs_other_programs(const std::filesystem::path& bpffs, const Device& device);

/// Whether there are pins of another schema, and the device runs programs of ours from another
/// build: then the daemon of that schema is responsible for the device.
Result<bool> is_kept_by_other_schema(const std::filesystem::path& bpffs, const Device& device);

/// Adds the other schemas' exit counts to ours, and removes their pins, which frees what no device
/// runs. Holds the lock of load_and_pin() in `run_dir`. If killed in between, it loses counts, but
/// never counts twice.
Result<> remove_other_schemas(const std::filesystem::path& bpffs,
                              const std::filesystem::path& run_dir);

}  // namespace kubecni
