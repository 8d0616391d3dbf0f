#pragma once

#include "support/process.hpp"
#include "support/temp_dir.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace kubecni::test {

/// nghttpx (Debian's nghttp2-proxy): HTTP/2 over TLS in front of a plain HTTP/1.1 server, like a
/// load balancer. It adds the header Via to requests.
class Http2Proxy {
 public:
  /// Serves on a free port of 127.0.0.1 once this returns, with a certificate of its own. Throws
  /// if it cannot.
  explicit Http2Proxy(int backend_port);

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  /// Of its certificate.
  [[nodiscard]] std::filesystem::path ca_file() const { return dir_ / "server.crt"; }

  /// The program that it lacks, with its package; empty: none.
  static std::string what_is_missing();

 private:
  TempDir dir_;
  int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace kubecni::test
