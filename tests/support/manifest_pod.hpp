#pragma once

#include "support/cri_client.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace kubecni::test {

/// What kubelet knows besides the manifest when it starts a pod.
struct KubeletView {
  std::string node_name;
  std::string service_host;  ///< of the API server, as each container is told
  int service_port = 0;
  std::filesystem::path config_maps;      ///< a folder for each, by name, with its files
  std::filesystem::path service_account;  ///< a folder with ca.crt, token, namespace
};

/// The sandbox of a pod of a DaemonSet, without name and places.
SandboxRequest sandbox_of(const nlohmann::json& daemonset);

/// Its container (or init container) `name`, as kubelet requests it from a runtime: the request has
/// every key of the manifest that a runtime needs. Makes host folders of type DirectoryOrCreate.
/// Throws for anything unknown.
ContainerRequest container_of(const nlohmann::json& daemonset, const std::string& name,
                              const KubeletView& kubelet);

}  // namespace kubecni::test
