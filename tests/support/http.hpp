#pragma once

#include "support/pod.hpp"

#include <cstdint>
#include <string>

namespace kubecni::test {

struct HttpReply {
  int status = 0;  ///< 0: none came
  std::string body;
};

/// Asks the server at 127.0.0.1 in the namespace for `path`.
HttpReply http_get(const NetNs& netns, std::uint16_t port, const std::string& path);

}  // namespace kubecni::test
