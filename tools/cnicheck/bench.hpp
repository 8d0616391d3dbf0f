#pragma once

#include "base/result.hpp"
#include "namespaces.hpp"
#include "network.hpp"
#include "plugin_runner.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kubecni::cnicheck {

/// The options of the command line.
struct Settings {
  std::filesystem::path plugin_dir;
  std::filesystem::path ipam_dir;
  std::filesystem::path conf;
  std::filesystem::path dual_conf;   ///< a network with IPv4 and IPv6
  std::filesystem::path ipam_conf;   ///< a network whose plugin delegates to an "ipam"
  std::filesystem::path other_conf;  ///< another network that shares folders with `conf`
  std::vector<std::filesystem::path> state_dirs;
  std::map<std::string, std::string> hooks;  ///< shell commands by name
  std::chrono::milliseconds timeout{30000};
  unsigned kill_points = 60;
};

/// The state that all cases share: the tested network, the node, the plugin's versions.
class Bench {
 public:
  /// Makes the namespaces and a folder for helper plugins, runs the hook "node-start", and calls
  /// VERSION. Then does one ADD and DEL, so that what a plugin makes once per node exists before
  /// the first case.
  static Result<Bench> set_up(Settings settings);
  Bench(Bench&&) = default;
  Bench& operator=(Bench&&) = delete;
  /// Runs the hook "node-stop" and removes everything.
  ~Bench();

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] const PluginRunner& runner() const { return runner_; }
  [[nodiscard]] const TestNamespace& node() const { return node_->node; }
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::string type() const { return network_.type(0); }

  [[nodiscard]] bool supports(const std::string& version) const;  ///< according to VERSION
  [[nodiscard]] const std::vector<std::string>& versions() const { return versions_; }
  /// Errors: ENOTSUP the plugin or the configuration is older than `since`.
  [[nodiscard]] Result<> require_verb(const std::string& verb, const std::string& since) const;

  /// Runs the hook in the node's namespace, with CNICHECK_NETNS (the node's path)
  /// and CNICHECK_CONTAINERID in its environment.
  /// Errors: ENOTSUP no such hook was given; EIO it failed.
  [[nodiscard]] Result<> run_hook(const std::string& name,
                                  const std::string& container_id = "") const;
  [[nodiscard]] Result<> require_hook(const std::string& name) const;

  /// The network of an optional configuration file.
  /// Errors: ENOTSUP it was not given (`option` names it).
  [[nodiscard]] Result<Network> other_network(const std::filesystem::path& path,
                                              const char* option) const;

  /// A name that is unique in this run.
  [[nodiscard]] std::string next_name() { return prefix_ + "-" + std::to_string(++names_); }

  /// One ADD and DEL, which make what a plugin makes once per node.
  void warm_up();
  /// Why the first ADD or DEL failed, for the report; usually empty.
  [[nodiscard]] const std::string& warm_up_problem() const { return warm_up_problem_; }

 private:
  Bench(Settings settings, Network network, PluginRunner runner, Node node, std::string prefix,
        std::filesystem::path folder);
  void ask_versions();

  Settings settings_;
  Network network_;
  PluginRunner runner_;
  std::optional<Node> node_;
  std::string prefix_;
  std::filesystem::path folder_;
  std::vector<std::string> versions_;
  std::string warm_up_problem_;
  unsigned names_ = 0;
};

}  // namespace kubecni::cnicheck
