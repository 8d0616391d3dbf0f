#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace kubecni::test {

/// A pod as kubelet asks a runtime for it.
struct SandboxRequest {
  std::string name;
  std::string uid;
  std::string cgroup_parent;
};

struct SandboxStatus {
  bool is_ready = false;
  std::vector<std::string> ips;  ///< as the plugin's result has them, the first is the pod's
};

/// Calls a container runtime as kubelet does: a client of the Container Runtime
/// Interface, v1. Any thread may call it. It is of one run of the runtime: gRPC waits
/// longer and longer before it tries a lost connection again.
///
/// A call may take a minute. Errors of all of them: ETIMEDOUT; ECONNRESET the runtime
/// does not listen, or has ended meanwhile; EIO it refused, the text says why.
class CriClient {
 public:
  /// `socket` is the path of the runtime's Unix socket.
  explicit CriClient(const std::string& socket);
  CriClient(CriClient&&) noexcept;
  CriClient& operator=(CriClient&&) noexcept;
  ~CriClient();

  /// Returns the id of the sandbox.
  [[nodiscard]] Result<std::string> run_pod_sandbox(const SandboxRequest& request) const;
  [[nodiscard]] Result<SandboxStatus> pod_sandbox_status(const std::string& id) const;
  [[nodiscard]] Result<> stop_pod_sandbox(const std::string& id) const;
  [[nodiscard]] Result<> remove_pod_sandbox(const std::string& id) const;
  /// The ids of all sandboxes, whatever their state.
  [[nodiscard]] Result<std::vector<std::string>> list_pod_sandboxes() const;
  /// The runtime's condition NetworkReady, on which a Kubernetes node's Ready depends.
  [[nodiscard]] Result<bool> is_network_ready() const;

 private:
  struct Stub;
  std::unique_ptr<Stub> stub_;
};

}  // namespace kubecni::test
