#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// Where the API servers are ("192.0.2.1:6443"), as was last known for `server`: from
/// <state dir>/api-endpoints.json. None when the file is absent or of another server.
/// Errors: those of read_file(); EBADMSG the file is damaged.
Result<std::vector<std::string>> load_endpoints(const std::filesystem::path& state_dir,
                                                const std::string& server);

/// Errors: those of write_file_atomically().
Result<> save_endpoints(const std::filesystem::path& state_dir, const std::string& server,
                        const std::vector<std::string>& addresses);

}  // namespace kubecni
