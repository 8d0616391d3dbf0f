#pragma once

#include "base/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kubecni {

/// What a condition is about.
enum class ConditionKind {
  kFailed,        ///< a step failed; it is tried again
  kNodeSkipped,   ///< another node cannot be used or reached; `subject` is its name
  kNodeDoubtful,  ///< a Node object may be wrong; `subject` is its name
  kKernelPath,    ///< the programs do not load
  kNoConntrack,   ///< the programs cannot ask conntrack
  kNotReady,      ///< this node cannot take pods
  kListPending,   ///< the runtime's list is missing or outdated
  kFullPool,      ///< a PodCIDR has no address for another pod
  kPeerSilent,    ///< pods of another node are not reached; `subject` is its name
  kPolicy,        ///< a policy cannot be understood, or none is known yet; `subject` is its name
  kPlugins,       ///< something about the runtime's plugins that the operator may not expect
};

/// Something that a controller found. It lasts as long as the controller reports it.
struct Condition {
  ConditionKind kind;
  std::string text;  ///< a sentence for people
  std::string subject = {};

  auto operator<=>(const Condition&) const = default;
};

/// What one controller reports of one round.
struct Outcome {
  std::string_view controller;
  std::vector<std::string> changes = {};  ///< what it changed on the node, a phrase each
  std::vector<Condition> conditions = {};
  /// When the next round has to come, if before the usual time.
  std::optional<std::chrono::milliseconds> again_in = {};

  void fail(std::string why) { say(ConditionKind::kFailed, std::move(why)); }
  void say(ConditionKind kind, std::string text, std::string subject = {}) {
    conditions.push_back({kind, std::move(text), std::move(subject)});
  }
  [[nodiscard]] std::vector<std::string> texts_of(ConditionKind kind) const {
    std::vector<std::string> texts;
    for (const Condition& condition : conditions)
      if (condition.kind == kind) texts.push_back(condition.text);
    return texts;
  }
  /// Notes the end of a step: adds the change `what`, or the error.
  void apply(const Result<>& done, std::string what) {
    if (done)
      changes.push_back(std::move(what));
    else
      fail(done.error().what);
  }
};

}  // namespace kubecni
