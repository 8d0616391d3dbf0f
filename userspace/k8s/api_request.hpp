#pragma once

#include "base/result.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace kubecni {

/// One HTTP request to the API server.
struct ApiRequest {
  std::string method = "GET";
  std::string path;               ///< with its query: "/api/v1/nodes?limit=500"
  std::string permission;         ///< what RBAC has to allow for it: "list nodes"
  std::string content_type = {};  ///< of `body`
  std::string body = {};          ///< empty: none is sent
};

/// Receives the answer while it arrives.
struct ApiReader {
  std::function<void()> opened = {};                     ///< the server answered 2xx
  std::function<Result<>(std::string_view bytes)> read;  ///< an error ends the request
};

}  // namespace kubecni
