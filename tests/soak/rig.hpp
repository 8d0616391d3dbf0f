#pragma once

#include "cluster.hpp"
#include "test_api_server/api_server.hpp"

#include <memory>
#include <string>

namespace kubecni::test {

/// Two nodes with real daemons that an API server tells of each other, and what can be done to them
/// while pods talk. Each function returns when everything is as it was; it throws if that takes
/// longer than kRestored.
class Rig {
 public:
  /// `routing` is "direct" or "vxlan".
  explicit Rig(const std::string& routing);

  /// Takes all programs off one node, and puts them on again at once.
  void switch_path(unsigned round);
  /// Kills one node's daemon, and starts it again.
  void kill_daemon(unsigned round);
  /// Replaces one node's daemon by a build with another schema and other programs, and back.
  void upgrade(unsigned round);
  /// Restarts both daemons with the other routing, one after the other, and back.
  void change_settings(unsigned round);
  void take_api_server_away(unsigned round);
  /// Unmounts the bpf file system, and mounts a new one.
  void unmount_bpffs(unsigned round);
  /// The same while another mount keeps the old one, and with it the links. Afterwards a pod is
  /// deleted and made again with its address: it is not found by what the old links know.
  void unmount_kept_bpffs(unsigned round);
  /// Detaches all programs of both nodes; the daemons put them back.
  void detach_all(unsigned round);
  /// Empties all maps of both nodes; the daemons fill them.
  void empty_all_maps(unsigned round);

  /// Keeps everything from the other node's pod for 100 ms: a fault, by which a caller can see that
  /// faults show.
  void cut_pod_off() const;

  Cluster cluster;
  Pod near = cluster.add_pod(cluster.a, "near");

 private:
  static constexpr std::chrono::seconds kRestored{60};

  /// One of the two, in turn.
  Cluster::Member& member(unsigned round) const { return cluster.member(round % 2); }
  void start_api_server(int port = 0);
  void start_daemon(Cluster::Member& member) const;
  void stop_daemon(Cluster::Member& member, int signal) const;
  void change_routing(Cluster::Member& member, const std::string& routing) const;
  void change_build(Cluster::Member& member, const std::string& folder,
                    const std::string& schema) const;
  [[nodiscard]] bool is_whole(const Cluster::Member& member) const;
  void wait_until_whole(const std::string& after) const;
  void replace_spare_pod();

  std::string routing_;
  std::optional<Pod> spare_{cluster.add_pod(cluster.a, "spare")};
  std::unique_ptr<ApiServer> server_;
};

}  // namespace kubecni::test
