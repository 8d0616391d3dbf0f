#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "bench/spawn.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kubecni::bench {

/// Where the programs are.
struct PathPrograms {
  std::filesystem::path kube_cni;   ///< the folder of kube-cni and kube-cnid
  std::filesystem::path reference;  ///< of bridge, ptp and host-local
};

/// How kube-cni runs on a node.
struct KubeCniMode {
  std::string dataplane = "ebpf";  ///< as the option --dataplane
  std::string pod_hooks = "auto";  ///< as "podHooks" of the network configuration
  std::string routing = "direct";  ///< as the option --routing
};

/// The network of all pods, for rules.
inline constexpr const char* kClusterCidr = "10.200.0.0/16";

/// A namespace of a path: a pod, or the node itself.
struct PathEnd {
  int netns = -1;
  IpAddr addr;
  std::string pod;  ///< its name; empty: no plugin made it
};

/// A node for one candidate: a network namespace with its pods. It is in the sandbox, whose end
/// removes it. Node number N (1 or 2) has the pods 10.200.N.0/24 and, on a wire, the address
/// 192.0.2.N.
class PathNode {
 public:
  /// `name` is unique in the sandbox, as letters, digits and '-'.
  static Result<std::unique_ptr<PathNode>> create(const PathPrograms& programs,
                                                  const std::string& name, unsigned number);

  /// A wire to another node: a veth pair, whose ends are both called eth0.
  Result<> connect(const PathNode& other);

  /// From now on pods are made by Debian's plugin `type`, "bridge" or "ptp".
  void use_reference(const std::string& type);
  /// From now on pods are made by kube-cni. Starts kube-cnid, which knows `nodes` nodes, and waits
  /// until it has carried out what it knows. Errors: ETIMEDOUT with the daemon's log.
  Result<> use_kube_cni(const KubeCniMode& mode, unsigned nodes);

  /// Errors: EIO the plugin's, with its answer.
  Result<PathEnd> add_pod();
  /// A namespace that no plugin touches.
  Result<PathEnd> add_empty_pod();
  [[nodiscard]] PathEnd itself() const { return {netns_.get(), address(), {}}; }

  /// From now on kube-cnid enforces these objects, a list as kubectl prints it. Waits until the
  /// kernel has the policies of `pod`. Errors: ETIMEDOUT with the daemon's log.
  Result<> use_policies(const nlohmann::json& objects, const PathEnd& pod) const;

  /// Runs a shell script in the namespace. Errors: EIO it fails; its standard error is ours.
  Result<> run(const std::string& script) const;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] int netns() const { return netns_.get(); }
  [[nodiscard]] IpAddr address() const;
  [[nodiscard]] IpAddr peer_address() const;
  [[nodiscard]] std::string pod_cidr() const { return cidr_of(number_); }
  [[nodiscard]] std::string peer_pod_cidr() const { return cidr_of(3 - number_); }

  /// Of the packets that reached the pods of the node since its programs were loaded; nothing
  /// without eBPF.
  struct Deliveries {
    std::uint64_t by_ebpf = 0;
    std::uint64_t by_kernel = 0;
  };
  [[nodiscard]] std::optional<Deliveries> deliveries() const;

 private:
  PathNode(PathPrograms programs, std::string name, unsigned number, UniqueFd netns);
  static std::string cidr_of(unsigned number);
  Result<> write_nodes(unsigned nodes) const;
  Result<> wait_until(const std::string& what, const std::function<bool()>& is_so) const;
  [[nodiscard]] bool is_ready(const KubeCniMode& mode, unsigned nodes) const;

  PathPrograms programs_;
  std::string name_;
  unsigned number_;
  UniqueFd netns_;
  std::filesystem::path folder_;
  std::filesystem::path bpffs_;
  std::filesystem::path plugin_;
  nlohmann::json conf_;
  std::vector<UniqueFd> pods_;
  std::optional<BackgroundProcess> daemon_;
};

}  // namespace kubecni::bench
