#pragma once

#include "support/process.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace kubecni::test {

/// nghttpx (Debian's nghttp2-proxy): HTTP/2 over TLS in front of a plain HTTP/1.1 server, like a
/// load balancer. It adds the header Via to requests.
class Http2Proxy {
 public:
  /// Serves on a free port of 127.0.0.1 once this returns. Throws if it cannot.
  Http2Proxy(int backend_port, const std::filesystem::path& certificate,
             const std::filesystem::path& key);

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }

  static bool is_installed();

 private:
  int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace kubecni::test
