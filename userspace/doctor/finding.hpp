#pragma once

#include <string>
#include <vector>

namespace kubecni {

enum class Verdict {
  kOk,
  kLimited,  ///< it works, but not all of it, or not as fast
  kMissing,  ///< without it there is no eBPF, or no network at all
  kUnknown,  ///< it could not be examined
};

/// The finding about one thing that kube-cni needs of a machine.
struct Finding {
  std::string subject;  ///< "bpffs", "vxlan"
  Verdict verdict = Verdict::kOk;
  std::string found;   ///< a phrase for people
  std::string remedy;  ///< what to do; empty if nothing
};
using Findings = std::vector<Finding>;

inline bool is_missing(const Finding& finding) { return finding.verdict == Verdict::kMissing; }

/// "ok", "limited", "missing", "unknown".
const char* name_of(Verdict verdict);

}  // namespace kubecni
