#pragma once

#include "base/result.hpp"
#include "bench/statistics.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::bench {

/// The options of `kube-cni-bench cni`.
struct CniOptions {
  std::filesystem::path kube_cni;
  std::filesystem::path reference_dir = "/usr/lib/cni";
  std::vector<unsigned> pods{0, 200};  ///< pods present on each node meanwhile, ascending
  unsigned parallel = 50;
  unsigned rounds = 50;   ///< one after the other
  unsigned batches = 10;  ///< of `parallel` at once
  unsigned warm_up = 3;   ///< rounds that are not counted, before each scenario
};

/// One plugin in one scenario. Times in milliseconds.
struct CniRow {
  unsigned pods;
  unsigned parallel;  ///< calls at once
  std::string verb;
  std::string plugin;
  Summary wall;  ///< of each call
  Summary cpu;   ///< of each call
  /// From the start of the first concurrent call to the end of the last, per pod.
  Summary per_pod;
};

/// Measures ADD and DEL of every plugin, in turn within each round, so that other load on the
/// machine affects all of them. Works in a sandbox. Prints progress to standard error.
Result<std::vector<CniRow>> measure_cni(const CniOptions& options);

}  // namespace kubecni::bench
