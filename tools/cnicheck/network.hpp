#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni::cnicheck {

/// The versions of the specification with a different result shape each.
inline constexpr const char* kSpecVersions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                "0.4.0", "1.0.0", "1.1.0"};

/// Whether `version` is `other` or newer: "1.1.0" is newer than "0.10.0".
bool is_at_least(std::string_view version, std::string_view other);

/// A network as a runtime knows it: a .conf is a list of one plugin. The first plugin is tested;
/// the others are its partners.
struct Network {
  std::string name;
  std::string cni_version;  ///< empty to send none, which means 0.1.0
  std::vector<nlohmann::json> plugins;

  /// Errors: ENOENT no such file; EINVAL it is not a network configuration.
  static Result<Network> load(const std::filesystem::path& path);

  /// The standard input of plugin `index`: the network's name and version, `prev_result`, and the
  /// part of `runtime_config` that its capabilities select; either may be null.
  [[nodiscard]] nlohmann::json input(std::size_t index, const nlohmann::json& prev_result,
                                     const nlohmann::json& runtime_config) const;
  [[nodiscard]] std::string type(std::size_t index) const;
  [[nodiscard]] std::string result_version() const {
    return cni_version.empty() ? "0.1.0" : cni_version;
  }
  [[nodiscard]] Network with_version(const std::string& version) const;
  [[nodiscard]] bool has_capability(const char* capability) const;  ///< of the first plugin

  /// The first IPv4 subnet that the tested plugin, or its "ipam", hands out.
  [[nodiscard]] std::optional<IpNet> subnet() const;
};

}  // namespace kubecni::cnicheck
