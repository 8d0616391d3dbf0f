#pragma once

#include "metrics/family.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace kubecni {

/// What of a node lasts without any process and is read when somebody asks: the
/// pinned maps, the records of pods and addresses, the plugin's count of its calls.
/// Nothing in it grows with pods or peers but the time that it takes.
class NodeCollector {
 public:
  struct Paths {
    std::filesystem::path state_dir;
    std::filesystem::path run_dir;
    std::filesystem::path bpffs;
  };

  explicit NodeCollector(Paths paths) : paths_(std::move(paths)) {}

  /// Runs in the node's namespace. What cannot be read is left out, logged when it
  /// begins and ends, and is in kube_cni_collector_success.
  Families collect();

 private:
  void note(const std::string& collector, const std::string& error);

  Paths paths_;
  std::map<std::string, std::string> errors_;  // by collector, of the last time
};

}  // namespace kubecni
