#include "k8s/api_config.hpp"

#include "base/file.hpp"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace kubecni {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxKubeconfigBytes = std::size_t{4} << 20;

std::string text_at(const YAML::Node& map, const char* key) {
  return map[key] ? map[key].as<std::string>() : std::string();
}

/// A path in a kubeconfig is relative to the kubeconfig.
std::string path_at(const YAML::Node& map, const char* key, const fs::path& directory) {
  const std::string path = text_at(map, key);
  return path.empty() ? path : (directory / path).string();
}

Result<std::string> base64_at(const YAML::Node& map, const char* key) {
  const std::string encoded = text_at(map, key);
  // yaml-cpp 0.7 reads beyond its table for a byte over 0x7f.
  const bool is_ascii = std::ranges::all_of(encoded, [](char c) { return (c & 0x80) == 0; });
  const auto bytes = is_ascii ? YAML::DecodeBase64(encoded) : std::vector<unsigned char>{};
  if (bytes.empty() && !encoded.empty())
    return failure(EINVAL, std::string(key) + " is not base64");
  return std::string(bytes.begin(), bytes.end());
}

/// The `kind` ("cluster") of the entry called `name` in the list `kind`s.
Result<YAML::Node> entry_of(const YAML::Node& root, const std::string& kind,
                            const std::string& name) {
  for (const YAML::Node& entry : root[kind + "s"])
    if (text_at(entry, "name") == name && entry[kind].IsMap()) return YAML::Node(entry[kind]);
  return failure(ENOENT, "no " + kind + " is called \"" + name + "\"");
}

Result<> read_cluster(const YAML::Node& cluster, const fs::path& directory, ApiConfig& config) {
  if (!config.is_insecure && cluster["insecure-skip-tls-verify"] &&
      cluster["insecure-skip-tls-verify"].as<bool>())
    return failure(ENOTSUP,
                   "insecure-skip-tls-verify is refused: whoever answers could redirect all pod "
                   "traffic; give certificate-authority instead, or accept the risk with "
                   "--insecure-skip-tls-verify");
  auto ca_data = base64_at(cluster, "certificate-authority-data");
  if (!ca_data) return fail(ca_data);
  config.server = text_at(cluster, "server");
  config.ca_file = path_at(cluster, "certificate-authority", directory);
  config.ca_data = std::move(*ca_data);
  return {};
}

Result<> read_user(const YAML::Node& user, const fs::path& directory, ApiConfig& config) {
  for (const char* unsupported : {"exec", "auth-provider", "username", "password"})
    if (user[unsupported])
      return failure(ENOTSUP,
                     std::string("the user has \"") + unsupported +
                         "\", which is not supported; use a token or a client certificate");
  auto cert_data = base64_at(user, "client-certificate-data");
  if (!cert_data) return fail(cert_data);
  auto key_data = base64_at(user, "client-key-data");
  if (!key_data) return fail(key_data);
  config.token = text_at(user, "token");
  config.token_file = path_at(user, "tokenFile", directory);
  config.client_cert_file = path_at(user, "client-certificate", directory);
  config.client_cert_data = std::move(*cert_data);
  config.client_key_file = path_at(user, "client-key", directory);
  config.client_key_data = std::move(*key_data);
  return {};
}

/// May throw YAML::Exception.
Result<ApiConfig> read_current_context(const YAML::Node& root, const fs::path& directory,
                                       bool is_insecure) {
  const std::string current = text_at(root, "current-context");
  if (current.empty()) return failure(ENOENT, "current-context is not set");
  auto context = entry_of(root, "context", current);
  if (!context) return fail(context);
  auto cluster = entry_of(root, "cluster", text_at(*context, "cluster"));
  if (!cluster) return fail(cluster);
  auto user = entry_of(root, "user", text_at(*context, "user"));
  if (!user) return fail(user);

  ApiConfig config;
  config.is_insecure = is_insecure;
  if (auto read = read_cluster(*cluster, directory, config); !read) return fail(read, "cluster");
  if (auto read = read_user(*user, directory, config); !read) return fail(read, "user");
  return config;
}

Result<ApiConfig> from_kubeconfig(const ApiOptions& options) {
  const fs::path& path = options.kubeconfig;
  const std::string context = "kubeconfig " + path.string();
  auto text = read_file(path, kMaxKubeconfigBytes);
  if (!text) return fail(text, context);
  try {
    auto config = read_current_context(YAML::Load(*text), path.parent_path(),
                                       options.insecure_skip_tls_verify);
    if (!config) return fail(config, context);
    return config;
  } catch (const YAML::Exception& error) {
    return failure(EINVAL, context + ": " + error.what());
  }
}

/// The API server of the pod we run in; empty outside of a pod.
std::string in_cluster_server() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (!host || !port) return {};
  const std::string name = host;
  const bool is_ipv6 = name.find(':') != std::string::npos;
  return "https://" + (is_ipv6 ? "[" + name + "]" : name) + ":" + port;
}

/// The service account of our pod, if there is one.
ApiConfig from_service_account(const ApiOptions& options) {
  ApiConfig config;
  config.server = in_cluster_server();
  config.advice =
      "this is the address of a Service, which works only where kube-proxy or its like runs; where "
      "none does, name the control plane's own address: \"apiServer\": [\"https://ADDRESS:6443\"] "
      "in "
      "the settings file (the ConfigMap kube-cni), or --api-server";
  const fs::path token = options.service_account / "token";
  const fs::path ca = options.service_account / "ca.crt";
  // In a pod both must exist; elsewhere --api-server works without them.
  const bool required = options.api_servers.empty();
  if (required || ::access(token.c_str(), F_OK) == 0) config.token_file = token;
  if (required || ::access(ca.c_str(), F_OK) == 0) config.ca_file = ca;
  return config;
}

void apply_overrides(const ApiOptions& options, ApiConfig& config) {
  config.is_insecure = options.insecure_skip_tls_verify;
  if (!options.api_servers.empty()) {
    config.server = options.api_servers.front();
    config.more_servers.assign(options.api_servers.begin() + 1, options.api_servers.end());
    config.advice.clear();
  }
  if (!options.ca_file.empty()) {
    config.ca_file = options.ca_file;
    config.ca_data.clear();
  }
  if (!options.token_file.empty()) {
    config.token_file = options.token_file;
    // The server would prefer a certificate to the token.
    config.client_cert_file = config.client_cert_data = "";
    config.client_key_file = config.client_key_data = "";
  }
}

Result<> check_server(std::string& server) {
  if (server.empty())
    return failure(ENOENT,
                   "no API server known: give --kubeconfig or --api-server, or run in a pod, where "
                   "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are set");
  while (server.ends_with('/')) server.pop_back();
  const bool is_https = server.starts_with("https://") && server.size() > 8;
  const bool is_http = server.starts_with("http://") && server.size() > 7;
  if (!is_https && !is_http)
    return failure(EINVAL, "API server \"" + server + "\" is not an http:// or https:// address");
  return {};
}

Result<> check_readable(const std::string& what, const std::string& path) {
  if (!path.empty() && ::access(path.c_str(), R_OK) != 0)
    return sys_error(errno, what + " " + path);
  return {};
}

Result<> check_files(const ApiConfig& config) {
  const std::pair<std::string, std::string> files[] = {
      {"CA file", config.ca_data.empty() ? config.ca_file : ""},
      {"token file", config.token_file},
      {"client certificate", config.client_cert_data.empty() ? config.client_cert_file : ""},
      {"client key", config.client_key_data.empty() ? config.client_key_file : ""},
  };
  for (const auto& [what, path] : files)
    if (auto readable = check_readable(what, path); !readable) return fail(readable);
  return {};
}

Result<> check_credentials(const ApiConfig& config) {
  const bool has_token = !config.token_file.empty() || !config.token.empty();
  const bool has_cert = !config.client_cert_file.empty() || !config.client_cert_data.empty();
  const bool has_key = !config.client_key_file.empty() || !config.client_key_data.empty();
  if (has_cert != has_key)
    return failure(ENOENT, has_cert ? "client certificate without its key"
                                    : "client key without its certificate");
  if (config.server.starts_with("https://") && !has_token && !has_cert)
    return failure(ENOENT, "no credentials for " + config.server +
                               ": give --kubeconfig or --token-file, or run in a pod with a "
                               "service account");
  return {};
}

}  // namespace

std::vector<std::string> ApiConfig::servers() const {
  std::vector<std::string> all{server};
  all.insert(all.end(), more_servers.begin(), more_servers.end());
  return all;
}

Result<ApiConfig> resolve_api_config(const ApiOptions& options) {
  auto config =
      options.kubeconfig.empty() ? from_service_account(options) : from_kubeconfig(options);
  if (!config) return config;
  apply_overrides(options, *config);
  if (auto server = check_server(config->server); !server) return fail(server);
  for (std::string& server : config->more_servers)
    if (auto checked = check_server(server); !checked) return fail(checked);
  if (auto files = check_files(*config); !files) return fail(files);
  if (auto credentials = check_credentials(*config); !credentials) return fail(credentials);
  return config;
}

}  // namespace kubecni
