// The size of the programs, beside the committed baseline. A program that grows costs time in the
// verifier and in the instruction cache, so growth has to be meant.
#include "bench/prog_baseline.hpp"
#include "namespaces.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

namespace kubecni::test {
namespace {

TEST(ProgSize, IsAtMostATenthOverTheBaseline) {
  if (!may_run_bpf()) GTEST_SKIP() << kWhySkipped;
  const auto baseline = must(bench::read_baseline(KUBECNI_PROG_BASELINE));

  const auto growth =
      bench::compare_with(baseline, bench::kernel_series(), must(bench::count_programs()));

  EXPECT_THAT(growth.too_large, testing::IsEmpty());
  for (const auto& what : growth.not_compared) std::cout << "Not compared: " << what << "\n";
}

}  // namespace
}  // namespace kubecni::test
