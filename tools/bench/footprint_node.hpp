#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "bench/bench_policies.hpp"
#include "bench/probe_peers.hpp"
#include "bench/spawn.hpp"
#include "test_api_server/api_server.hpp"

#include <nlohmann/json.hpp>

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kubecni::bench {

/// A node of a cluster of thousands, whose other nodes are only Node objects that answer probes: a
/// network namespace with a daemon, and an API server (HTTPS) in this process. Runs in the sandbox;
/// its folders are below /run.
class FootprintNode {
 public:
  struct Programs {
    std::filesystem::path daemon;
    std::filesystem::path plugin;
  };

  /// With `dual_stack`, nodes have addresses and PodCIDRs of both families. Errors: those of
  /// network namespaces; EIO there is no certificate for the server.
  static Result<std::unique_ptr<FootprintNode>> create(const Programs& programs,
                                                       bool dual_stack = false);
  FootprintNode(const FootprintNode&) = delete;
  FootprintNode& operator=(const FootprintNode&) = delete;
  ~FootprintNode() = default;

  /// Ends the daemon, resizes the cluster to `nodes` nodes with realistic Node objects of about 30
  /// kB, starts the daemon, and waits until all of them have a route. Errors: ETIMEDOUT not within
  /// two minutes, with the daemon's log.
  Result<> start_daemon(unsigned nodes);
  /// Ends the daemon, and starts it again. Errors: those of posix_spawn(3).
  Result<> restart_daemon();
  /// Errors: ETIMEDOUT `is_so` is not true within two minutes, with the daemon's log; its own.
  static Result<> wait_until(const std::function<Result<bool>()>& is_so,
                             std::chrono::nanoseconds poll);

  /// Adds `count` pods by the plugin. Errors: EIO the plugin's.
  Result<> add_pods(unsigned count);

  /// Announces `pods` pods of the cluster, among them those of this node. Errors: EINVAL it has
  /// none.
  Result<> announce_pods(unsigned pods);
  /// Announces a policy that isolates all pods and names no peers. Result: the time until it is in
  /// force. Errors: ETIMEDOUT, with the daemon's log.
  Result<std::chrono::nanoseconds> deny_all();
  /// Announces `policies` policies for the pods of this node. Each names the pods of one of 100
  /// apps as peers. Result, errors: likewise.
  Result<std::chrono::nanoseconds> announce_policies(unsigned policies);
  /// Another app is a peer of the policy. Or the pod of another node comes to the app that policy 0
  /// names after that, or leaves it. Result, errors: likewise.
  Result<std::chrono::nanoseconds> change_policy(unsigned policy);
  Result<std::chrono::nanoseconds> change_peer(unsigned pod);

  /// What a kubelet does every five minutes: the node reports its status.
  void report_status(unsigned node);
  /// The node's addresses become others, to and fro.
  void move_node(unsigned node);

  /// Takes the eth0 of the first pod down and up without a pause, as a pod with NET_ADMIN can.
  /// Errors: EIO ip(8) does not.
  Result<> flap_pod(std::chrono::seconds time);

  /// The node with its address, and its PodCIDR.
  [[nodiscard]] nlohmann::json node_object(unsigned number) const;
  [[nodiscard]] static IpNet pod_cidr_of(unsigned number, int family);
  [[nodiscard]] test::ApiServer& server() { return *server_; }
  [[nodiscard]] int netns() const { return netns_.get(); }
  static std::filesystem::path bpffs();
  static std::filesystem::path run_dir();

  [[nodiscard]] pid_t daemon_pid() const { return daemon_ ? daemon_->pid() : -1; }

 private:
  FootprintNode(Programs programs, UniqueFd netns, bool dual_stack)
      : programs_(std::move(programs)), netns_(std::move(netns)), dual_stack_(dual_stack) {}

  Result<> connect();
  static Result<> route_all_to_here();
  Result<> start_peers();
  Result<> start_server();
  Result<> spawn_daemon();
  void announce_policy(unsigned policy, unsigned app);
  [[nodiscard]] Result<std::chrono::nanoseconds> time_policies(
      const std::function<void()>& change) const;
  [[nodiscard]] Result<bool> is_complete(unsigned nodes) const;

  Programs programs_;
  UniqueFd netns_;
  bool dual_stack_;
  std::unique_ptr<test::ApiServer> server_;
  std::unique_ptr<ProbePeers> peers_;
  std::optional<BackgroundProcess> daemon_;
  std::vector<BenchPod> pods_;
  std::set<unsigned> moved_;  ///< nodes with another address than at first
};

}  // namespace kubecni::bench
