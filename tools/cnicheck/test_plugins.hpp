#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>

namespace kubecni::cnicheck {

/// The names under which cnicheck acts as a CNI plugin, before or below the tested one.
inline constexpr const char* kFirstPlugin = "cnicheck-first";  ///< first of a chain
inline constexpr const char* kIpamPlugin = "cnicheck-ipam";    ///< a delegate

/// Puts both into `folder`, as links to this program.
Result<> link_test_plugins(const std::filesystem::path& folder);

/// Whether this execution is a test plugin's.
bool is_test_plugin(const std::string& program);

/// Answers one CNI call. cnicheck-first adds an interface "cnicheck0" and a DNS
/// server to the result. cnicheck-ipam gives the "address" of its "ipam"
/// section, appends each verb to the file "log" there, and fails STATUS with the
/// code "statusCode". Returns the exit status.
int run_test_plugin(const std::string& program);

}  // namespace kubecni::cnicheck
