#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace kubecni {

/// Makes a network namespace whose `lo` is up, and binds it to `path`, which must
/// not exist. Errors: EEXIST; EPERM without CAP_SYS_ADMIN; those of unshare(2).
Result<UniqueFd> create_netns(const std::string& path);

/// Unmounts what create_netns() bound to `path`; absent is success. The
/// namespace itself goes with its last user.
Result<> delete_netns(const std::string& path);

}  // namespace kubecni
