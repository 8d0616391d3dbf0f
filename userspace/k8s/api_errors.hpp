#pragma once

#include "base/result.hpp"

#include <curl/curl.h>

#include <string>

namespace kubecni {

/// The message for a transfer that ended with `code`, with advice. `os_errno` is of the last failed
/// connect(2), or 0; `words` are curl's own. The same problem always gives the same text. The
/// errnos are ApiClient's.
[[nodiscard]] std::unexpected<Error> transport_error(CURLcode code, long os_errno,
                                                     const std::string& words);

/// The same for an HTTP `status` that is not 2xx, with its `body`. `permission`
/// is what RBAC has to allow for the request.
[[nodiscard]] std::unexpected<Error> status_error(long status, const std::string& body,
                                                  const std::string& permission);

}  // namespace kubecni
