#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// The addresses ("192.0.2.1:6443", "[2001:db8::1]:6443") of the EndpointSlice
/// `default/kubernetes`, in which the API servers write where they are. Those
/// that are not ready are left out.
/// Errors: EINVAL not JSON; EBADMSG no EndpointSlice with a port "https".
Result<std::vector<std::string>> parse_endpoint_slice(std::string_view text);

/// The addresses that were last known for `server`, from the file at `path`;
/// none when the file is absent or of another server.
/// Errors: those of read_file(); EBADMSG the file is damaged.
Result<std::vector<std::string>> load_endpoints(const std::filesystem::path& path,
                                                const std::string& server);

/// Errors: those of write_file_atomically().
Result<> save_endpoints(const std::filesystem::path& path, const std::string& server,
                        const std::vector<std::string>& addresses);

}  // namespace kubecni
