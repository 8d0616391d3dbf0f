#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "bench/plugin_call.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::bench {

/// A plugin with a configuration: one row of the table.
struct PluginSetup {
  std::string name;
  std::filesystem::path program;
  nlohmann::json conf;
};

/// The compared plugins. `bridge` comes first, as ratios relate to it. All give each pod a veth, an
/// address and a default route. Their state is below `folder`, which is removed after the run, as
/// are the pins below /sys/fs/bpf.
std::vector<PluginSetup> compared_plugins(const std::filesystem::path& kube_cni,
                                          const std::filesystem::path& reference_dir,
                                          const std::filesystem::path& folder);

/// The most pods that a node of the benchmark can have.
inline constexpr unsigned kMaxPods = 1000;

/// One plugin on a node of its own, with the namespaces of its pods. Works in a sandbox
/// (sandbox/sandbox.hpp), which removes the namespaces.
class PluginNode {
 public:
  static Result<PluginNode> create(PluginSetup setup);

  [[nodiscard]] const std::string& name() const { return setup_.name; }

  /// Makes namespaces until there are `count`, for pods to be added.
  Result<> prepare_pods(unsigned count);
  /// Adds `count` pods, which stay.
  Result<> grow_to(unsigned present);

  /// Adds the next `width` pods, all at once. Errors: EIO the plugin failed, with
  /// its answer.
  Result<std::vector<CallEnd>> add(unsigned width);
  /// Deletes the pods of the last add(), all at once, while the namespaces exist, as kubelet does.
  Result<std::vector<CallEnd>> del(unsigned width);

 private:
  struct Pod {
    std::string id;
    std::string netns;
    nlohmann::json result;
  };
  PluginNode(PluginSetup setup, UniqueFd netns)
      : setup_(std::move(setup)), netns_(std::move(netns)) {}
  [[nodiscard]] PluginCall call(const char* verb, const Pod& pod) const;
  Result<std::vector<CallEnd>> run(const char* verb, unsigned width);

  PluginSetup setup_;
  UniqueFd netns_;
  std::vector<Pod> pods_;
  unsigned present_ = 0;
};

}  // namespace kubecni::bench
