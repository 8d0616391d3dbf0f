#pragma once

#include "base/result.hpp"
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

/// The answer when standard input cannot be read, because of `error`.
PluginAnswer refuse_input(const Error& error);

/// Takes back the ADD that got `answer` where the runtime could not be told: for
/// it the ADD has failed, and a failed one leaves nothing. Other verbs stay done.
void undo_unheard(const GetEnv& get, const std::string& input, const PluginAnswer& answer);

}  // namespace kubecni
