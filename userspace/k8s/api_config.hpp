#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// The operator's options for the API server; empty means not given.
struct ApiOptions {
  std::filesystem::path kubeconfig;
  std::vector<std::string> api_servers;  ///< the first one names the server in messages
  std::string ca_file;
  std::string token_file;
  bool insecure_skip_tls_verify = false;
  std::filesystem::path service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
};

/// How to reach the API server, and our identity there. `…_data` (PEM) wins over the file of the
/// same pair. Files are read again for each new connection or request.
struct ApiConfig {
  std::string server;                     ///< "https://10.0.0.1:6443", without a slash at the end
  std::vector<std::string> more_servers;  ///< of the same cluster, tried if it does not answer
  bool is_insecure = false;               ///< the server's certificate is not verified
  std::string ca_file;
  std::string ca_data;
  std::string token_file;  ///< wins over `token`
  std::string token;
  std::string client_cert_file;
  std::string client_cert_data;
  std::string client_key_file;
  std::string client_key_data;
  std::string advice;  ///< what to do if the server cannot be reached, after "; "; may be empty

  /// All of them, `server` first.
  [[nodiscard]] std::vector<std::string> servers() const;

  bool operator==(const ApiConfig&) const = default;
};

/// Reads the current context of `kubeconfig` or, without one, the service account of the pod we run
/// in; each of the other options replaces its value there.
///
/// Reads the environment: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT.
/// Errors: ENOENT a file, an entry or the server is missing; EACCES a file is not readable; EINVAL
/// malformed; ENOTSUP needs what we refuse (insecure-skip-tls-verify, unless it is among the
/// options) or do not support (exec, auth-provider, passwords).
Result<ApiConfig> resolve_api_config(const ApiOptions& options);

}  // namespace kubecni
