#pragma once

#include "k8s/api_config.hpp"

#include <expected>
#include <filesystem>
#include <string>

namespace kubecni {

/// What the operator says on the command line of kube-cnid.
struct DaemonOptions {
  std::string node_name;
  std::string node_source;  ///< "file:PATH" or "kubernetes"
  ApiOptions api;
  std::string dataplane = "auto";  ///< "auto", "ebpf", "bridge"
  std::filesystem::path state_dir = "/var/lib/kube-cni";
  std::filesystem::path run_dir = "/run/kube-cni";
  std::filesystem::path bpffs = "/sys/fs/bpf/kube-cni";
  std::string bridge = "cni0";
  std::string log_level = "info";
};

/// The options, or the exit status after help or an error was printed.
std::expected<DaemonOptions, int> parse_options(int argc, const char* const* argv);

}  // namespace kubecni
