#include "bench/cni_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace kubecni::bench {
namespace {

using testing::HasSubstr;

CniRow row(const std::string& plugin, unsigned pods, double cpu_ms, double ms_a_pod) {
  return {.pods = pods,
          .parallel = 1,
          .verb = "ADD",
          .plugin = plugin,
          .wall = {},
          .cpu = {.median = cpu_ms},
          .per_pod = {.median = ms_a_pod}};
}

TEST(CniReport, RelatesARowToTheBridgeOfTheSameScenario) {
  const std::vector<CniRow> rows{row("bridge", 0, 100, 100), row("bridge", 200, 10, 8),
                                 row("kube-cni ebpf", 200, 2, 4)};

  const Ratios ratios = ratios_to_bridge(rows.back(), rows);

  EXPECT_DOUBLE_EQ(ratios.cpu, 0.2);
  EXPECT_DOUBLE_EQ(ratios.wall, 0.5);
}

TEST(CniReport, PrintsFactsAndALineForEachRow) {
  std::ostringstream out;

  print_markdown(out, {{"cores", "2"}}, {row("bridge", 0, 4, 8), row("ptp", 0, 2, 2)});

  EXPECT_THAT(out.str(), HasSubstr("* cores: 2\n"));
  EXPECT_THAT(
      out.str(),
      HasSubstr("| 0 | 1 | ADD | ptp | 0.00 | 0.00 | 2.00 | 0.00 | 2.00 | 0.25 | 0.50 |\n"));
}

TEST(CniReport, HasTheSameInJson) {
  const auto report = to_json({{"cores", "2"}}, {row("bridge", 7, 4, 8)});

  EXPECT_EQ(report["facts"]["cores"], "2");
  EXPECT_EQ(report["rows"][0]["pods"], 7);
  EXPECT_EQ(report["rows"][0]["msAPod"]["median"], 8.0);
}

}  // namespace
}  // namespace kubecni::bench
