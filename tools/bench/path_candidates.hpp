#pragma once

#include "base/result.hpp"
#include "bench/path_node.hpp"
#include "bench/traffic.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kubecni::bench {

/// The nodes of a candidate, and the two ends between which traffic is measured.
struct PathBed {
  std::vector<std::shared_ptr<PathNode>> nodes;
  PathEnds ends;
};

/// One path that is compared with the others of its group.
struct Candidate {
  std::string group;  ///< of usual_groups() or policy_groups()
  std::string name;
  /// The names of two others of the group, for ratios: one that no pod's path can beat, and what
  /// others do. Empty: none.
  std::string limit, reference;
  std::function<Result<PathBed>()> make;
};

/// All candidates, in the order of the report. `make` works in the sandbox, once for each.
std::vector<Candidate> all_candidates(const PathPrograms& programs);

/// The names of the groups, in this order: what is measured without a choice, and what network
/// policies cost.
std::vector<std::string> usual_groups();
std::vector<std::string> policy_groups();
std::vector<std::string> all_groups();

}  // namespace kubecni::bench
