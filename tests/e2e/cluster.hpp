#pragma once

#include "expect.hpp"
#include "support/eventually.hpp"
#include "support/node.hpp"
#include "support/underlay.hpp"
#include "test_api_server/api_server.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kubecni::test {

/// Where the nodes of a cluster are.
enum class Topology {
  kOneSegment,   ///< node-a and node-b
  kTwoSegments,  ///< node-a, and node-b behind the router
  kMixed,        ///< node-a and node-b, and node-c behind the router
};

struct ClusterOptions {
  std::string dataplane = "ebpf";
  std::string mode = "bridge";
  Families families = Families::kV4;
  Topology topology = Topology::kOneSegment;
  /// `--routing` of each node in turn; one for all; none leaves the option out.
  std::vector<std::string> routing = {};
  std::vector<std::string> daemon_options = {};  ///< for each daemon
  bool ipv6_first = false;                       ///< of a dual stack's PodCIDRs
  bool router_carries_pods = false;              ///< as Underlay::carry()
  std::chrono::seconds patience = kDeadline;     ///< until the daemons are ready
};

/// Nodes on an underlay, each with a daemon and a pod.
///
///   node-a .1, pods 10.200.1.0/24 and fd00:10:1::/64     node-b .2, ...:2...
class Cluster {
 public:
  /// The daemons read the nodes from one file, and know each other when this returns.
  explicit Cluster(const ClusterOptions& options);
  explicit Cluster(const std::string& dataplane)
      : Cluster(ClusterOptions{.dataplane = dataplane}) {}

  /// Replaces the file of nodes, all at once.
  void write_nodes(const std::vector<nlohmann::json>& nodes) const;
  void write_file(const std::string& text) const;
  /// The initial content of the file.
  [[nodiscard]] std::vector<nlohmann::json> nodes() const;
  /// The same for a cluster of two nodes with IPv4.
  static std::vector<nlohmann::json> two_nodes();

  /// Starts the node's daemon as at first, with `more` options at the end, executed by `wrapper`.
  [[nodiscard]] Process start_daemon(const Node& node, const std::vector<std::string>& more = {},
                                     const std::vector<std::string>& wrapper = {}) const;
  /// Adds a pod with addresses from the PodCIDRs that the daemon has learned.
  [[nodiscard]] Pod add_pod(const Node& node, const std::string& name) const;

  /// Node number `index`, with everything that belongs to it.
  struct Member {
    Member(const std::string& name, std::vector<std::string> pod_cidrs,
           const std::string& dataplane)
        : node(name, pod_cidrs, dataplane), cidrs(std::move(pod_cidrs)) {}
    Node node;
    std::vector<std::string> cidrs;
    std::vector<IpAddr> addresses;  ///< of the node, in the order of the PodCIDRs
    std::vector<std::string> options;
    std::string port;  ///< of the wire
    std::optional<Process> daemon;
    std::optional<Pod> pod;

    [[nodiscard]] IpAddr address_of(int family) const;
    [[nodiscard]] std::string cidr_of(int family) const;
  };
  [[nodiscard]] Member& member(std::size_t index) const { return *members_.at(index); }
  [[nodiscard]] std::size_t size() const { return members_.size(); }

  /// Whether each node knows every other one, by each family.
  [[nodiscard]] bool is_complete() const;

  Underlay underlay;
  /// Where daemons that are started from now on learn of the nodes.
  std::vector<std::string> node_source;

 private:
  std::vector<std::unique_ptr<Member>> members_;

 public:
  // The first two have names.
  Node& a;
  Node& b;
  std::optional<Process>& daemon_a;
  std::optional<Process>& daemon_b;
  std::optional<Pod>& pod_a;
  std::optional<Pod>& pod_b;
};

/// Whether the node has kube-cnid's route to `cidr` and, with eBPF, its map entry.
bool knows_cidr(const Node& node, const std::string& cidr);
[[nodiscard]] bool has_route(const Node& node, const std::string& cidr);
[[nodiscard]] bool has_map_entry(const Node& node, const std::string& cidr);
/// Whether the programs of `pods` pods and of the devices to other nodes are attached.
[[nodiscard]] bool is_attached(const Node& node, unsigned pods);
/// Whether the daemon has seen the pod: it checks what the pod sends on the kernel path.
[[nodiscard]] bool is_guarded(const Node& node, const Pod& pod);

}  // namespace kubecni::test
