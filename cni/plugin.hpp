#pragma once

#include "base/result.hpp"
#include "cni_env.hpp"

#include <chrono>
#include <string>

namespace kubecni {

/// What one call of the plugin answers.
struct PluginAnswer {
  std::string output;  ///< for standard output: one JSON object, or nothing
  int exit_status = 0;
  unsigned error_code = 0;  ///< of the error that is in `output`; 0: none is
};

/// Runs the verb that `get` (the environment) and `input` (standard input) ask
/// for. Runs in the node's network namespace.
PluginAnswer run_plugin(const GetEnv& get, const std::string& input);

/// The answer when standard input cannot be read, because of `error`.
PluginAnswer refuse_input(const Error& error);

/// Takes back the ADD that got `answer` where the runtime could not be told: for
/// it the ADD has failed, and a failed one leaves nothing. Other verbs stay done.
void undo_unheard(const GetEnv& get, const std::string& input, const PluginAnswer& answer);

/// Counts the call in the run folder of the configuration (state/call_stats.hpp), for
/// the metrics of kube-cnid. `error_code` is 0 where the runtime got what it wanted.
/// Never fails: where it cannot be counted, it is not.
void count_answer(const GetEnv& get, const std::string& input, unsigned error_code,
                  std::chrono::nanoseconds duration);

}  // namespace kubecni
