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
  // Not one with the connection, and the patience, of the client before.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The socket's path is no host name, and containerd insists on one that could be.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  stub_->service = RuntimeService::NewStub(
      grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments));
}

CriClient::CriClient(CriClient&&) noexcept = default;
CriClient& CriClient::operator=(CriClient&&) noexcept = default;
CriClient::~CriClient() = default;

Result<std::string> CriClient::run_pod_sandbox(const SandboxRequest& wanted) const {
  runtime::v1::RunPodSandboxRequest request;
  auto* metadata = request.mutable_config()->mutable_metadata();
  metadata->set_name(wanted.name);
  metadata->set_uid(wanted.uid);
  metadata->set_namespace_("default");
  request.mutable_config()->mutable_linux()->set_cgroup_parent(wanted.cgroup_parent);
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
