#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// The last known addresses of the API servers ("192.0.2.1:6443") for `server`, from <state
/// dir>/api-endpoints.json. Empty if the file is absent or belongs to another server.
/// Errors: those of read_file(); EBADMSG the file is damaged.
Result<std::vector<std::string>> load_endpoints(const std::filesystem::path& state_dir,
                                                const std::string& server);

/// Errors: those of write_file_atomically().
Result<> save_endpoints(const std::filesystem::path& state_dir, const std::string& server,
                        const std::vector<std::string>& addresses);

}  // namespace kubecni
