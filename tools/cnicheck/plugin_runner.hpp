#pragma once

#include "base/result.hpp"
#include "network.hpp"
#include "process.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>

namespace kubecni::cnicheck {

/// The parameters of one container's attachment to a network.
struct Target {
  std::string container_id;
  std::string netns;  ///< empty for a namespace that the runtime knows to be gone
  std::string ifname = "eth0";
};

/// Environment variables that differ from a runtime's; nullopt means not set.
using EnvOverrides = std::map<std::string, std::optional<std::string>>;

/// The result of a verb for the plugins of a network.
struct ChainEnd {
  ProcessEnd end;         ///< of the last plugin that was executed
  std::string type;       ///< that plugin
  nlohmann::json result;  ///< of ADD: the last plugin's standard output; null if it is no JSON
};

/// Executes plugins in the node's namespace as libcni does. Thread-safe.
class PluginRunner {
 public:
  PluginRunner(std::string cni_path, int node_netns_fd, std::chrono::milliseconds timeout)
      : cni_path_(std::move(cni_path)), node_netns_fd_(node_netns_fd), timeout_(timeout) {}

  /// The execution of the plugin `type` for `verb`, ready to be started.
  /// Errors: ENOENT no such plugin in CNI_PATH.
  [[nodiscard]] Result<ProcessSpec> plan(const std::string& type, const std::string& verb,
                                         const Target& target, const std::string& input,
                                         const EnvOverrides& overrides = {}) const;
  [[nodiscard]] Result<ProcessEnd> run(const std::string& type, const std::string& verb,
                                       const Target& target, const std::string& input,
                                       const EnvOverrides& overrides = {}) const;

  /// ADD in the order of the list, DEL in reverse, the others in order; it ends
  /// at the first plugin that fails.
  [[nodiscard]] Result<ChainEnd> add(const Network& network, const Target& target,
                                     const nlohmann::json& runtime_config = nullptr) const;
  [[nodiscard]] Result<ChainEnd> del(const Network& network, const Target& target,
                                     const nlohmann::json& prev_result) const;
  [[nodiscard]] Result<ChainEnd> check(const Network& network, const Target& target,
                                       const nlohmann::json& prev_result) const;
  [[nodiscard]] Result<ChainEnd> status(const Network& network) const;
  /// `extra` is merged into each plugin's input: "cni.dev/valid-attachments".
  [[nodiscard]] Result<ChainEnd> gc(const Network& network, const nlohmann::json& extra) const;

  /// The plugin's VERSION reply, as it came.
  [[nodiscard]] Result<ProcessEnd> version(const std::string& type, const std::string& input) const;

  [[nodiscard]] PluginRunner with_path(const std::string& cni_path) const;
  [[nodiscard]] const std::string& cni_path() const { return cni_path_; }
  /// Whether CNI_PATH has the plugin.
  [[nodiscard]] bool has(const std::string& type) const;

 private:
  [[nodiscard]] Result<ChainEnd> each(const Network& network, const char* verb,
                                      const Target& target, const nlohmann::json& prev_result,
                                      const nlohmann::json& extra) const;

  std::string cni_path_;
  int node_netns_fd_;
  std::chrono::milliseconds timeout_;
};

}  // namespace kubecni::cnicheck
