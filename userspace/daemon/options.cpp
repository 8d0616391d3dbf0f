#include "daemon/options.hpp"

#include <CLI/CLI.hpp>

namespace kubecni {

std::expected<DaemonOptions, int> parse_options(int argc, const char* const* argv) {
  DaemonOptions options;
  CLI::App app(
      "Keeps the eBPF map of the nodes' PodCIDRs and the kernel's routes equal to the "
      "cluster's Node objects.",
      "kube-cnid");
  app.set_version_flag("--version", KUBECNI_VERSION);
  app.add_option("--node-name", options.node_name, "Name of this node's Node object")->required();
  app.add_option("--node-source", options.node_source,
                 "file:PATH, a NodeList as `kubectl get nodes -o json` prints it, or kubernetes")
      ->required()
      ->check([](const std::string& source) -> std::string {
        const bool known = source == "kubernetes" || (source.starts_with("file:") &&
                                                      source.size() > std::string("file:").size());
        return known ? "" : "\"" + source + "\" is neither file:PATH nor kubernetes";
      });
  app.add_option("--kubeconfig", options.api.kubeconfig,
                 "How to reach the API server (default: the pod's service account)");
  app.add_option("--api-server", options.api.api_server, "URL of the API server");
  app.add_option("--ca-file", options.api.ca_file, "CA certificates of the API server, PEM");
  app.add_option("--token-file", options.api.token_file, "Bearer token, read for every request");
  app.add_option("--dataplane", options.dataplane,
                 "auto: eBPF where it loads; ebpf: or exit; bridge: the kernel path alone")
      ->check(CLI::IsMember({"auto", "ebpf", "bridge"}))
      ->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "What has to survive a reboot")
      ->capture_default_str();
  app.add_option("--run-dir", options.run_dir, "Locks and status")->capture_default_str();
  app.add_option("--bpffs", options.bpffs, "Folder for the pins")->capture_default_str();
  app.add_option("--bridge", options.bridge, "The pods' bridge")->capture_default_str();
  app.add_option("--log-level", options.log_level, "error, warn, info, debug")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error));
  }
  return options;
}

}  // namespace kubecni
