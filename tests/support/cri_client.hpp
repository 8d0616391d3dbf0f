#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kubecni::test {

/// A pod as kubelet requests it from a runtime.
struct SandboxRequest {
  std::string name;
  std::string uid;
  std::string cgroup_parent;
  bool host_network = false;
  bool host_pid = false;
  std::string log_directory = {};
};

/// A container of such a pod. Its output is in `log_path` of the pod's log directory.
struct ContainerRequest {
  struct Mount {
    std::string host_path;
    std::string path;
    bool readonly = false;
    bool host_to_container = false;  ///< what is mounted on the host later appears, too
  };

  std::string name;
  std::string image;
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<Mount> mounts;
  std::vector<std::string> add_capabilities;
  std::vector<std::string> drop_capabilities;
  bool readonly_rootfs = false;
  std::string log_path;
};

struct ContainerStatus {
  bool is_running = false;
  int exit_code = 0;  ///< when it has ended
};

struct SandboxStatus {
  bool is_ready = false;
  std::vector<std::string> ips;  ///< as the plugin's result has them, the first is the pod's
};

/// Calls a container runtime as kubelet does: a client of the Container Runtime Interface, v1. Any
/// thread may call it. Use a new one after a restart of the runtime: gRPC waits longer and longer
/// before it tries a lost connection again.
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
  /// Creates and starts a container in the sandbox that `pod` asked for; seccomp, and what
  /// is hidden and read-only below /proc and /sys, are the runtime's default. Returns its id.
  [[nodiscard]] Result<std::string> start_container(const std::string& sandbox_id,
                                                    const SandboxRequest& pod,
                                                    const ContainerRequest& container) const;
  [[nodiscard]] Result<ContainerStatus> container_status(const std::string& id) const;
  /// By SIGTERM, and SIGKILL after `grace_s` seconds.
  [[nodiscard]] Result<> stop_container(const std::string& id, int grace_s) const;
  /// The ids of all sandboxes, whatever their state.
  [[nodiscard]] Result<std::vector<std::string>> list_pod_sandboxes() const;
  /// The runtime's condition NetworkReady, on which a Kubernetes node's Ready depends.
  [[nodiscard]] Result<bool> is_network_ready() const;

 private:
  struct Stub;
  std::unique_ptr<Stub> stub_;
};

}  // namespace kubecni::test
