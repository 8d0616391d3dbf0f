#pragma once

#include <filesystem>

namespace kubecni {

/// Logs what this machine lacks for the dataplane, each with what to do: for when something
/// failed, and whoever reads the log has no other way to look. Takes some 0.3 s.
/// Runs in the node's namespace.
void log_diagnosis(const std::filesystem::path& bpffs);

}  // namespace kubecni
