#pragma once

#include "metrics/family.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace kubecni {

/// The metrics of a node that outlive every process, read on each request: the pinned maps, the
/// records of pods and addresses, and the plugin's call counters. Only the time that it takes grows
/// with pods or peers.
class NodeCollector {
 public:
  struct Paths {
    std::filesystem::path state_dir;
    std::filesystem::path run_dir;
    std::filesystem::path bpffs;
  };

  explicit NodeCollector(Paths paths) : paths_(std::move(paths)) {}

  /// Runs in the node's namespace. Leaves out what cannot be read, logs when that begins and ends,
  /// and reports it in kube_cni_collector_success.
  Families collect();

 private:
  void note(const std::string& collector, const std::string& error);

  Paths paths_;
  std::map<std::string, std::string> errors_;  // by collector, of the last time
};

}  // namespace kubecni
