#pragma once

#include "expect.hpp"
#include "support/api_server.hpp"
#include "support/node.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace kubecni::test {

/// Two nodes on one wire, each with a daemon and a pod.
///
///   node-a 192.0.2.1, pods 10.200.1.0/24     node-b 192.0.2.2, pods 10.200.2.0/24
class Cluster {
 public:
  /// Both daemons read the nodes from one file, and know each other when this returns.
  explicit Cluster(const std::string& dataplane);

  /// Replaces the file of nodes, all at once.
  void write_nodes(const std::vector<nlohmann::json>& nodes) const;
  void write_file(const std::string& text) const;
  /// What the file says in the beginning.
  static std::vector<nlohmann::json> two_nodes();

  [[nodiscard]] Process start_daemon(const Node& node) const;

  Wire wire{"wire"};
  Node a;
  Node b;
  std::optional<Process> daemon_a;
  std::optional<Process> daemon_b;
  std::optional<Pod> pod_a;
  std::optional<Pod> pod_b;
};

/// Whether the node has a route to `cidr` of kube-cnid's own, and where it has eBPF
/// the map entry of it, too.
bool knows_cidr(const Node& node, const std::string& cidr);
[[nodiscard]] bool has_route(const Node& node, const std::string& cidr);
[[nodiscard]] bool has_map_entry(const Node& node, const std::string& cidr);

}  // namespace kubecni::test
