#pragma once

#include <filesystem>

namespace kubecni {

/// Logs what this machine lacks for the dataplane, and what to do about each. For a failed start,
/// where only the log can be read. Takes some 0.3 s.
/// Runs in the node's namespace.
void log_diagnosis(const std::filesystem::path& bpffs);

}  // namespace kubecni
