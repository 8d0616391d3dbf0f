#pragma once

#include "base/result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace kubecni::bench {

/// One execution of a CNI plugin as a runtime does it.
struct PluginCall {
  std::string program;           ///< a path
  std::vector<std::string> env;  ///< "NAME=value", and nothing else
  std::string input;             ///< for standard input, at most 64 KiB
};

/// The result of a call, and its cost.
struct CallEnd {
  int status = 0;  ///< the exit status; 128 and the signal if one ended it
  std::string out;
  std::string err;
  /// From before the plugin is started until it has been waited for.
  std::chrono::steady_clock::time_point started, ended;
  /// User and system time of the plugin and of the children that it waited for. Excludes the
  /// kernel's later work in work queues and RCU callbacks.
  std::chrono::microseconds cpu{};
};

/// Executes all calls at the same moment in the network namespace `netns_fd`, each from its own
/// thread, and waits for them: the results have the same order. Pipes and threads are made before,
/// and do not count.
/// Errors: ETIMEDOUT one did not end within 60 s; those of starting a program.
Result<std::vector<CallEnd>> run_at_once(int netns_fd, const std::vector<PluginCall>& calls);

}  // namespace kubecni::bench
