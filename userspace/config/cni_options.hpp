#pragma once

#include "config/settings.hpp"
#include "config/settings_file.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// What the container runtime needs of kube-cni: the plugin's program, and the list of plugins with
/// kube-cni first (CNI specification 1.1.0, section 1).
struct CniOptions {
  std::filesystem::path conf_dir;  ///< the runtime's folder of lists; empty: no list is written
  std::string conf_name{default_of("cniConfName")};
  std::filesystem::path bin_dir = default_of("cniBinDir");
  std::filesystem::path plugin_binary;  ///< what to install in bin_dir; empty: nothing
  std::string network{default_of("cni.name")};
  nlohmann::json plugin = nlohmann::json::object();  ///< kube-cni's own keys in the list
  std::vector<nlohmann::json> chain;                 ///< the plugins after it, as configured
};

/// Reads the object "cni" of the settings file: "name", "chain", "capabilities", and the keys that
/// only the plugin has. check_plugin_entry() checks the values of these.
/// Result: every unknown key, and every value of a wrong type.
Problems read_cni_section(const nlohmann::json& section, CniOptions& options);

}  // namespace kubecni
