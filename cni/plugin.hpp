#pragma once

#include "base/result.hpp"
#include "cni_env.hpp"

#include <chrono>
#include <string>

namespace kubecni {

/// The answer of one call of the plugin.
struct PluginAnswer {
  std::string output;  ///< for standard output: one JSON object, or nothing
  int exit_status = 0;
  unsigned error_code = 0;  ///< code of the error in `output`; 0: none
};

/// Runs the verb of `get` (the environment) with `input` (standard input), in the node's network
/// namespace.
PluginAnswer run_plugin(const GetEnv& get, const std::string& input);

/// The answer when standard input cannot be read, because of `error`.
PluginAnswer refuse_input(const Error& error);

/// Undoes the ADD that got `answer`, if the answer could not be written: the runtime takes that ADD
/// as failed, and a failed ADD leaves nothing. Other verbs stay done.
void undo_unheard(const GetEnv& get, const std::string& input, const PluginAnswer& answer);

/// Counts the call in the run folder of the configuration (state/call_stats.hpp), for the metrics
/// of kube-cnid. `error_code` is 0 for success. Never fails: a call that cannot be counted is
/// skipped.
void count_answer(const GetEnv& get, const std::string& input, unsigned error_code,
                  std::chrono::nanoseconds duration);

}  // namespace kubecni
