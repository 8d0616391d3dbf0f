#include "bench/path_bench.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace kubecni::bench {
namespace {

using testing::ElementsAre;

const std::vector<Candidate> kAll{{"a", "limit", "limit", "old", {}},
                                  {"a", "old", "limit", "old", {}},
                                  {"a", "older", "limit", "old", {}},
                                  {"a", "new eBPF", "limit", "old", {}},
                                  {"b", "old", "", "old", {}}};

std::vector<std::string> wanted(const PathOptions& options) {
  std::vector<std::string> names;
  for (const Candidate& candidate : kAll)
    if (is_wanted(options, candidate, kAll)) names.push_back(candidate.group + candidate.name);
  return names;
}

TEST(PathCandidates, AreAllWithoutAChoice) { EXPECT_EQ(wanted({}).size(), kAll.size()); }

TEST(PathCandidates, AreThoseOfAGroup) {
  PathOptions options;
  options.groups = {"b"};

  EXPECT_THAT(wanted(options), ElementsAre("bold"));
}

TEST(PathCandidates, ComeWithTheirLimitAndReference) {
  PathOptions options;
  options.candidates = {"eBPF"};

  EXPECT_THAT(wanted(options), ElementsAre("alimit", "aold", "anew eBPF"));
}

TEST(PathCandidates, HaveLimitsAndReferencesOfTheirGroup) {
  const auto all = all_candidates({});
  std::set<std::string> known{""};
  for (const auto& candidate : all) known.insert(candidate.group + candidate.name);
  for (const auto& candidate : all) {
    EXPECT_TRUE(known.contains(candidate.group + candidate.reference)) << candidate.name;
    EXPECT_TRUE(candidate.limit.empty() || known.contains(candidate.group + candidate.limit))
        << candidate.name;
  }
}

}  // namespace
}  // namespace kubecni::bench
