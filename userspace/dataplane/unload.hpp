#pragma once

#include "base/result.hpp"
#include "dataplane/hook.hpp"

#include <filesystem>
#include <vector>

namespace kubecni {

/// Ends the eBPF path of the node: takes every program of ours off `devices`, pods' and
/// others', and removes all pins of any schema below `bpffs`, which frees programs and
/// maps. What the devices carry continues on the kernel path. Programs, filters and pins of
/// others stay, and so does a clsact qdisc, in which there may be filters of others.
/// Goes on after an error, and returns the first. Returns whether there was anything.
Result<bool> unload_dataplane(const std::filesystem::path& bpffs,
                              const std::vector<Device>& devices);

}  // namespace kubecni
