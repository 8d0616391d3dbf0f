#pragma once

#include "base/result.hpp"
#include "dataplane/hook.hpp"

#include <filesystem>
#include <vector>

namespace kubecni {

/// Ends the eBPF path of the node: detaches all our programs from `devices`, pods' and others, and
/// removes all pins of any schema below `bpffs`, which frees programs and maps. The devices'
/// traffic continues on the kernel path. Foreign programs, filters and pins stay, and so does a
/// clsact qdisc, which may hold foreign filters. Continues after an error, and returns the first.
/// Returns whether there was anything.
Result<bool> unload_dataplane(const std::filesystem::path& bpffs,
                              const std::vector<Device>& devices);

}  // namespace kubecni
