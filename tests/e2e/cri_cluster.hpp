#pragma once

#include "containerd_cri.hpp"
#include "support/node.hpp"
#include "support/underlay.hpp"
#include "test_api_server/api_server.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kubecni::test {

/// A pod that a container runtime runs.
struct CriPod {
  const ContainerdCri* runtime;
  std::string id;
  double start_ms;  ///< how long RunPodSandbox took
};

/// Starts `count` pods at once, spread evenly over the runtimes; their names begin with `name`.
/// Throws if one does not start.
std::vector<CriPod> start_pods(const std::vector<const ContainerdCri*>& runtimes, unsigned count,
                               const std::string& name);

/// Stops and removes the pods, `width` at a time. Throws if one of them stays.
void remove_pods(const std::vector<CriPod>& pods, unsigned width);

/// Two nodes as in Kubernetes, without kubelet: each has a daemon and a container runtime. Both can
/// reach an API server (HTTPS).
///
///   node-a 192.0.2.1, pods 10.200.1.0/24     node-b .2, 10.200.2.0/24     server .254
class CriCluster {
 public:
  struct Member {
    Member(const std::string& name, const std::string& pod_cidr);

    Node node;
    std::string cidr;
    std::filesystem::path conf_dir;
    std::filesystem::path bin_dir;
    ContainerdCri runtime;
    std::optional<Process> daemon;
  };

  /// The runtimes run; there is no daemon yet, and no network configuration.
  CriCluster();

  /// The daemon installs the plugin, and its list once the node can take pods.
  void start_daemon(Member& member) const;
  /// Starts the daemon of each node, and waits until the runtimes say that their
  /// networks are ready.
  void start_daemons();
  void kill_daemons();

  [[nodiscard]] std::vector<const ContainerdCri*> runtimes() const {
    return {&a.runtime, &b.runtime};
  }
  /// What pods may leave on the nodes or on the machine, like leftovers().
  [[nodiscard]] std::string leftovers() const;

  Underlay underlay{Families::kV4, 1};
  std::unique_ptr<ApiServer> server;
  Member a{"node-a", "10.200.1.0/24"};
  Member b{"node-b", "10.200.2.0/24"};
};

}  // namespace kubecni::test
