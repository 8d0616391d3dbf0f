#pragma once

#include "dataplane/counters.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "dataplane/pins.hpp"
#include "state/attachment.hpp"
#include "support/pod.hpp"
#include "support/process.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace kubecni::test {

/// Debian's folder of the reference plugins, part of every call's CNI_PATH.
inline constexpr const char* kReferencePlugins = "/usr/lib/cni";

/// The plugin's answer.
struct CniAnswer {
  int status = 0;
  std::string out;
  std::string err;
  nlohmann::json json;  ///< of `out`; null when that is empty, "discarded" when it is no JSON

  [[nodiscard]] unsigned code() const;    ///< of an error object, else 0
  [[nodiscard]] std::string msg() const;  ///< of an error object, else what was said instead
};

/// One call of the plugin, as a runtime makes it.
struct CniCall {
  std::vector<std::string> env;  ///< "CNI_COMMAND=ADD", ...
  std::string input;
  std::vector<std::string> wrapper = {};   ///< a program that executes the plugin
  std::function<void()> before_exec = {};  ///< as in Command
};

/// To make the usual number takes a third of the time in which a node starts.
inline constexpr std::uint32_t kMaxFlows = 8192;

/// A node: a network namespace with its own folders, in the sandbox's file systems, so that nothing
/// is left when the test ends.
class Node {
 public:
  /// Pods get addresses of `subnet`; `dataplane` as in the network configuration.
  Node(const std::string& name, const std::string& subnet, std::string dataplane)
      : Node(name, std::vector<std::string>{subnet}, std::move(dataplane)) {}
  /// Pods get an address of each of `subnets`; if there are none, of what the daemon has learned.
  Node(const std::string& name, std::vector<std::string> subnets, std::string dataplane);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  /// From now on kube-cni and kube-cnid are those of `folder` ("other-schema/"), which is
  /// below that of the programs; empty: the usual ones.
  void use_programs_of(const std::string& folder) { programs_ = folder; }
  /// Sets `--dataplane` and "dataplane" for later daemons and calls.
  void use_dataplane(std::string dataplane) { dataplane_ = std::move(dataplane); }

  /// The same for "mode".
  void use_mode(std::string mode) { mode_ = std::move(mode); }

  [[nodiscard]] const std::string& name() const { return netns.name(); }
  [[nodiscard]] bool is_ebpf() const { return dataplane_ != "bridge"; }
  [[nodiscard]] std::filesystem::path state_dir() const { return folder_ / "state"; }
  [[nodiscard]] std::filesystem::path run_dir() const { return folder_ / "run"; }
  [[nodiscard]] std::filesystem::path bpffs() const { return bpffs_; }
  [[nodiscard]] std::filesystem::path folder() const { return folder_; }

  /// The node's network configuration with `changes` merged in; null removes a key.
  [[nodiscard]] nlohmann::json conf(const nlohmann::json& changes = {}) const;

  [[nodiscard]] CniAnswer call(const CniCall& call) const;
  /// The same, but does not wait for the end.
  [[nodiscard]] Process start(const CniCall& call) const;
  [[nodiscard]] CniCall call_for(const std::string& verb, const Pod& pod,
                                 const nlohmann::json& changes = {}) const;
  [[nodiscard]] CniAnswer cni(const std::string& verb, const Pod& pod,
                              const nlohmann::json& changes = {}) const {
    return call(call_for(verb, pod, changes));
  }

  /// Makes a pod and ADDs it, which has to succeed.
  Pod add_pod(const std::string& name, const nlohmann::json& changes = {}) const;

  /// Sets `name` ("net/ipv4/ip_forward") in the node's namespace.
  void set_sysctl(const std::string& name, const std::string& value) const;

  /// Runs a program in the node's namespace, or a pod's; it has to succeed.
  std::string must_run(std::vector<std::string> argv) const;
  static std::string must_run_in(const NetNs& netns, std::vector<std::string> argv);

  /// The node's record of the pod; throws if there is none.
  [[nodiscard]] Attachment attachment(const Pod& pod) const;
  [[nodiscard]] ExitCounts counters() const;
  /// The key of the pod's first address in the endpoint maps.
  [[nodiscard]] EndpointKey endpoint_key(const Pod& pod) const;
  [[nodiscard]] EbpfDataplane dataplane() const { return must(EbpfDataplane::open_loaded(bpffs_)); }

  /// The address that the plugin gives to the node's bridge; of the family, if it is given.
  [[nodiscard]] IpAddr gateway(int family = 0) const;

  /// Starts kube-cnid on the node, as its service does. `options` say where the
  /// nodes come from. `wrapper` is a program that executes it.
  [[nodiscard]] Process start_daemon(const std::vector<std::string>& options,
                                     const std::vector<std::string>& wrapper = {}) const;

  NetNs netns;

 private:
  std::filesystem::path folder_;
  std::filesystem::path bpffs_;
  std::vector<std::string> subnets_;
  std::string dataplane_;
  std::string mode_ = "bridge";
  std::string programs_;
};

/// By how many packets `reason` grew from `before` to `after`.
std::uint64_t grown(const ExitCounts& before, const ExitCounts& after, kubecni_exit_reason reason);

/// All reasons that grew, as text: "FAST_TO_NODE+12 PASS_ARP+2 ".
std::string growth(const ExitCounts& before, const ExitCounts& after);

}  // namespace kubecni::test
