#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "dataplane/program.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

// How a node goes over from the maps of another schema to those of this build, older or
// newer, while pods run. The daemon fills its maps, switches the programs of each device
// in place, and then removes what is left. Each step may be repeated.

/// The pins of schemas that are not this build's: "<bpffs>/v2", ... Errors: those of readdir(3).
Result<std::vector<std::filesystem::path>> other_schemas(const std::filesystem::path& bpffs);

/// Copies to our maps what only packets have taught the other schema: who carries which
/// flow. Ours are kept. A map whose layout is another, or that ours do not have, is left
/// out: its flows are asked about again. What records or the cluster tell is for who
/// knows these. Errors: ENOENT ours are not pinned.
Result<> carry_over_flows(const std::filesystem::path& bpffs);

/// Takes the pod with these addresses in the network out of the other schemas' maps of
/// endpoints, or pods that run their programs would send to an interface that is gone. The
/// values may have any layout; where the keys have another than ours, nothing can be done.
Result<> erase_from_other_schemas(const std::filesystem::path& bpffs, unsigned network,
                                  const std::vector<IpAddr>& addresses);

/// Whether the device runs programs of ours that are not those pinned by this build.
Result<bool> runs_other_programs(const std::filesystem::path& bpffs, const Device& device);

/// Whether pins of another schema are there and the device runs programs of ours that are
/// not this build's: then who keeps that schema answers for the device.
Result<bool> is_kept_by_other_schema(const std::filesystem::path& bpffs, const Device& device);

/// Adds the other schemas' exit counts to ours, and removes their pins, which frees what no
/// device runs. Holds the lock of load_and_pin() in `run_dir`. Killed in between, it loses
/// counts, and counts none twice.
Result<> remove_other_schemas(const std::filesystem::path& bpffs,
                              const std::filesystem::path& run_dir);

}  // namespace kubecni
