#include "support/manifest_pod.hpp"

#include <stdexcept>

namespace kubecni::test {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const json& pod_of(const json& daemonset) { return daemonset.at("spec").at("template").at("spec"); }

json find_by_name(const json& list, const std::string& name) {
  for (const json& entry : list)
    if (entry.at("name") == name) return entry;
  throw std::runtime_error("nothing is called " + name);
}

json find_container(const json& pod, const std::string& name) {
  for (const char* list : {"initContainers", "containers"})
    for (const json& container : pod.value(list, json::array()))
      if (container.at("name") == name) return container;
  throw std::runtime_error("no container " + name);
}

std::string host_path_of(const json& volume, const KubeletView& kubelet) {
  if (volume.contains("configMap"))
    return kubelet.config_maps / volume["configMap"].at("name").get<std::string>();
  const json& host = volume.at("hostPath");
  const fs::path path = host.at("path").get<std::string>();
  if (host.at("type") == "DirectoryOrCreate")
    fs::create_directories(path);
  else if (host.at("type") != "Directory" || !fs::is_directory(path))
    throw std::runtime_error("hostPath " + path.string() + " is not a " + host.at("type").dump());
  return path;
}

ContainerRequest::Mount mount_of(const json& mount, const json& volumes,
                                 const KubeletView& kubelet) {
  const std::string propagation = mount.value("mountPropagation", "None");
  if (propagation != "None" && propagation != "HostToContainer")
    throw std::runtime_error("a container that is not privileged cannot have " + propagation);
  return {.host_path = host_path_of(find_by_name(volumes, mount.at("name")), kubelet),
          .path = mount.at("mountPath"),
          .readonly = mount.value("readOnly", false),
          .host_to_container = propagation == "HostToContainer"};
}

std::string value_of(const json& variable, const KubeletView& kubelet) {
  if (variable.contains("value")) return variable["value"];
  const json& field = variable.at("valueFrom").at("fieldRef").at("fieldPath");
  if (field != "spec.nodeName") throw std::runtime_error("unknown field " + field.dump());
  return kubelet.node_name;
}

/// "$(NAME)" in an argument is the value of that variable of the container.
std::string expand(std::string arg, const ContainerRequest& request) {
  for (const auto& [key, value] : request.env)
    if (const auto at = arg.find("$(" + key + ")"); at != std::string::npos)
      arg.replace(at, key.size() + 3, value);
  return arg;
}

}  // namespace

SandboxRequest sandbox_of(const json& daemonset) {
  const json& pod = pod_of(daemonset);
  return {.name = {},
          .uid = {},
          .cgroup_parent = {},
          .host_network = pod.value("hostNetwork", false),
          .host_pid = pod.value("hostPID", false)};
}

ContainerRequest container_of(const json& daemonset, const std::string& name,
                              const KubeletView& kubelet) {
  const json& pod = pod_of(daemonset);
  const json container = find_container(pod, name);
  const json& security = container.at("securityContext");
  if (security.value("privileged", false) || security.at("runAsUser") != 0 ||
      security.at("seccompProfile").at("type") != "RuntimeDefault")
    throw std::runtime_error("unexpected securityContext " + security.dump());
  ContainerRequest request{.name = name, .image = container.at("image"), .args = {}, .env = {}};
  for (const json& variable : container.value("env", json::array()))
    request.env.emplace_back(variable.at("name"), value_of(variable, kubelet));
  request.env.emplace_back("KUBERNETES_SERVICE_HOST", kubelet.service_host);
  request.env.emplace_back("KUBERNETES_SERVICE_PORT", std::to_string(kubelet.service_port));
  for (const std::string arg : container.at("args")) request.args.push_back(expand(arg, request));
  for (const json& mount : container.at("volumeMounts"))
    request.mounts.push_back(mount_of(mount, pod.at("volumes"), kubelet));
  if (pod.value("automountServiceAccountToken", true))
    request.mounts.push_back({.host_path = kubelet.service_account,
                              .path = "/var/run/secrets/kubernetes.io/serviceaccount",
                              .readonly = true});
  request.add_capabilities = security.at("capabilities").at("add");
  request.drop_capabilities = security.at("capabilities").at("drop");
  request.readonly_rootfs = security.value("readOnlyRootFilesystem", false);
  return request;
}

}  // namespace kubecni::test
