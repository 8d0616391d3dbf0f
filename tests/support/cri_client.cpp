#include "support/cri_client.hpp"

#include <cri.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <cerrno>
#include <chrono>

namespace kubecni::test {

namespace {

using runtime::v1::RuntimeService;

constexpr std::chrono::seconds kCallDeadline{60};

int errno_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return ETIMEDOUT;
    case grpc::StatusCode::UNAVAILABLE:
      return ECONNRESET;
    default:
      return EIO;
  }
}

void set_namespaces(const SandboxRequest& wanted, runtime::v1::NamespaceOption& options) {
  options.set_network(wanted.host_network ? runtime::v1::NODE : runtime::v1::POD);
  options.set_pid(wanted.host_pid ? runtime::v1::NODE : runtime::v1::CONTAINER);
}

void fill(const SandboxRequest& wanted, runtime::v1::PodSandboxConfig& config) {
  auto* metadata = config.mutable_metadata();
  metadata->set_name(wanted.name);
  metadata->set_uid(wanted.uid);
  metadata->set_namespace_("default");
  config.set_log_directory(wanted.log_directory);
  config.mutable_linux()->set_cgroup_parent(wanted.cgroup_parent);
  set_namespaces(wanted,
                 *config.mutable_linux()->mutable_security_context()->mutable_namespace_options());
}

/// Kubelet's defaults for an unprivileged container.
void set_paths(runtime::v1::LinuxContainerSecurityContext& security) {
  for (const char* path : {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                           "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"})
    security.add_masked_paths(path);
  for (const char* path :
       {"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"})
    security.add_readonly_paths(path);
}

void fill(const SandboxRequest& pod, const ContainerRequest& wanted,
          runtime::v1::ContainerConfig& config) {
  config.mutable_metadata()->set_name(wanted.name);
  config.mutable_image()->set_image(wanted.image);
  config.set_log_path(wanted.log_path);
  for (const auto& arg : wanted.args) config.add_args(arg);
  for (const auto& [key, value] : wanted.env) {
    auto* variable = config.add_envs();
    variable->set_key(key);
    variable->set_value(value);
  }
  for (const auto& from : wanted.mounts) {
    auto* mount = config.add_mounts();
    mount->set_host_path(from.host_path);
    mount->set_container_path(from.path);
    mount->set_readonly(from.readonly);
    if (from.host_to_container) mount->set_propagation(runtime::v1::PROPAGATION_HOST_TO_CONTAINER);
  }
  auto& security = *config.mutable_linux()->mutable_security_context();
  for (const auto& name : wanted.add_capabilities)
    security.mutable_capabilities()->add_add_capabilities(name);
  for (const auto& name : wanted.drop_capabilities)
    security.mutable_capabilities()->add_drop_capabilities(name);
  security.set_readonly_rootfs(wanted.readonly_rootfs);
  security.mutable_seccomp()->set_profile_type(runtime::v1::SecurityProfile::RuntimeDefault);
  set_namespaces(pod, *security.mutable_namespace_options());
  set_paths(security);
}

}  // namespace

struct CriClient::Stub {
  std::unique_ptr<RuntimeService::Stub> service;

  template <typename Request, typename Response>
  Result<Response> call(const char* name,
                        grpc::Status (RuntimeService::Stub::*method)(grpc::ClientContext*,
                                                                     const Request&, Response*),
                        const Request& request) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
    Response response;
    const grpc::Status status = (service.get()->*method)(&context, request, &response);
    if (!status.ok())
      return failure(errno_of(status.error_code()),
                     std::string(name) + ": " + status.error_message());
    return response;
  }
};

CriClient::CriClient(const std::string& socket) : stub_(std::make_unique<Stub>()) {
  grpc::ChannelArguments arguments;
  // A new channel, without the connection and the backoff of an earlier client.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The socket's path is not a host name, and containerd insists on a valid one.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  stub_->service = RuntimeService::NewStub(
      grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments));
}

CriClient::CriClient(CriClient&&) noexcept = default;
CriClient& CriClient::operator=(CriClient&&) noexcept = default;
CriClient::~CriClient() = default;

Result<std::string> CriClient::run_pod_sandbox(const SandboxRequest& wanted) const {
  runtime::v1::RunPodSandboxRequest request;
  fill(wanted, *request.mutable_config());
  auto response = stub_->call("RunPodSandbox", &RuntimeService::Stub::RunPodSandbox, request);
  if (!response) return fail(response, wanted.name);
  return response->pod_sandbox_id();
}

Result<SandboxStatus> CriClient::pod_sandbox_status(const std::string& id) const {
  runtime::v1::PodSandboxStatusRequest request;
  request.set_pod_sandbox_id(id);
  auto response = stub_->call("PodSandboxStatus", &RuntimeService::Stub::PodSandboxStatus, request);
  if (!response) return fail(response, id);
  const auto& status = response->status();
  SandboxStatus answer{.is_ready = status.state() == runtime::v1::SANDBOX_READY, .ips = {}};
  if (!status.network().ip().empty()) answer.ips.push_back(status.network().ip());
  for (const auto& more : status.network().additional_ips()) answer.ips.push_back(more.ip());
  return answer;
}

Result<> CriClient::stop_pod_sandbox(const std::string& id) const {
  runtime::v1::StopPodSandboxRequest request;
  request.set_pod_sandbox_id(id);
  auto response = stub_->call("StopPodSandbox", &RuntimeService::Stub::StopPodSandbox, request);
  if (!response) return fail(response, id);
  return {};
}

Result<> CriClient::remove_pod_sandbox(const std::string& id) const {
  runtime::v1::RemovePodSandboxRequest request;
  request.set_pod_sandbox_id(id);
  auto response = stub_->call("RemovePodSandbox", &RuntimeService::Stub::RemovePodSandbox, request);
  if (!response) return fail(response, id);
  return {};
}

Result<std::string> CriClient::start_container(const std::string& sandbox_id,
                                               const SandboxRequest& pod,
                                               const ContainerRequest& container) const {
  runtime::v1::CreateContainerRequest request;
  request.set_pod_sandbox_id(sandbox_id);
  fill(pod, *request.mutable_sandbox_config());
  fill(pod, container, *request.mutable_config());
  auto created = stub_->call("CreateContainer", &RuntimeService::Stub::CreateContainer, request);
  if (!created) return fail(created, container.name);
  runtime::v1::StartContainerRequest start;
  start.set_container_id(created->container_id());
  auto started = stub_->call("StartContainer", &RuntimeService::Stub::StartContainer, start);
  if (!started) return fail(started, container.name);
  return created->container_id();
}

Result<ContainerStatus> CriClient::container_status(const std::string& id) const {
  runtime::v1::ContainerStatusRequest request;
  request.set_container_id(id);
  auto response = stub_->call("ContainerStatus", &RuntimeService::Stub::ContainerStatus, request);
  if (!response) return fail(response, id);
  return ContainerStatus{.is_running = response->status().state() == runtime::v1::CONTAINER_RUNNING,
                         .exit_code = response->status().exit_code()};
}

Result<> CriClient::stop_container(const std::string& id, int grace_s) const {
  runtime::v1::StopContainerRequest request;
  request.set_container_id(id);
  request.set_timeout(grace_s);
  auto response = stub_->call("StopContainer", &RuntimeService::Stub::StopContainer, request);
  if (!response) return fail(response, id);
  return {};
}

Result<std::vector<std::string>> CriClient::list_pod_sandboxes() const {
  auto response = stub_->call("ListPodSandbox", &RuntimeService::Stub::ListPodSandbox, {});
  if (!response) return fail(response);
  std::vector<std::string> ids;
  for (const auto& sandbox : response->items()) ids.push_back(sandbox.id());
  return ids;
}

Result<bool> CriClient::is_network_ready() const {
  auto response = stub_->call("Status", &RuntimeService::Stub::Status, {});
  if (!response) return fail(response);
  for (const auto& condition : response->status().conditions())
    if (condition.type() == "NetworkReady") return condition.status();
  return failure(EIO, "Status: no condition NetworkReady");
}

}  // namespace kubecni::test
