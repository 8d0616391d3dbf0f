#include "daemon/round_report.hpp"

#include <algorithm>
#include <iterator>

namespace kubecni {

std::vector<std::string> RoundReport::texts_of(ConditionKind kind) const {
  std::vector<std::string> all;
  for (const Outcome& outcome : outcomes)
    std::ranges::move(outcome.texts_of(kind), std::back_inserter(all));
  return all;
}

std::string RoundReport::first_of(ConditionKind kind) const {
  const auto texts = texts_of(kind);
  return texts.empty() ? "" : texts.front();
}

std::size_t RoundReport::count_changes() const {
  std::size_t count = 0;
  for (const Outcome& outcome : outcomes) count += outcome.changes.size();
  return count;
}

std::optional<std::chrono::milliseconds> RoundReport::again_in() const {
  std::optional<std::chrono::milliseconds> soonest;
  for (const Outcome& outcome : outcomes)
    if (outcome.again_in)
      soonest = std::min(soonest.value_or(*outcome.again_in), *outcome.again_in);
  return soonest;
}

}  // namespace kubecni
