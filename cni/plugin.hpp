#pragma once

#include "cni_env.hpp"

#include <string>

namespace kubecni {

/// What one call of the plugin answers.
struct PluginAnswer {
  std::string output;  ///< for standard output: one JSON object, or nothing
  int exit_status = 0;
};

/// Runs the verb that `get` (the environment) and `input` (standard input) ask
/// for. Runs in the node's network namespace.
PluginAnswer run_plugin(const GetEnv& get, const std::string& input);

}  // namespace kubecni
