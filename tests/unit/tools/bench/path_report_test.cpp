#include "bench/path_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace kubecni::bench {
namespace {

using testing::HasSubstr;

Summary summary_of(double median) {
  return {.median = median, .p95 = median, .samples = 1, .min = median - 1, .max = median + 1};
}

PathRow row(const std::string& candidate, double rate, double cpu, Work work = Work::kRequests) {
  return {.group = "same-node",
          .candidate = candidate,
          .limit = "veth pair",
          .reference = "bridge",
          .work = work,
          .cores = Cores::kOne,
          .rate = summary_of(rate),
          .cpu = summary_of(cpu),
          .p50_us = work == Work::kRequests ? summary_of(5) : Summary{},
          .p99_us = work == Work::kRequests ? summary_of(9) : Summary{},
          .ebpf_share = {}};
}

std::vector<PathRow> rows_of_three() {
  return {row("veth pair", 400, 4), row("bridge", 200, 8), row("kube-cni", 300, 5),
          row("bridge", 7, 7, Work::kUdp64)};
}

TEST(PathReport, RelatesARowToAnotherOneOfItsGroupAndWork) {
  const auto rows = rows_of_three();

  EXPECT_DOUBLE_EQ(ratios_to("bridge", rows[2], rows).rate, 1.5);
  EXPECT_DOUBLE_EQ(ratios_to("bridge", rows[2], rows).cpu, 0.625);
  EXPECT_EQ(ratios_to("ptp", rows[2], rows).rate, 0);
}

TEST(PathReport, PrintsATableForEachWork) {
  std::ostringstream out;

  print_markdown(out, {{"cores", "2"}}, rows_of_three());

  EXPECT_THAT(out.str(), HasSubstr("* cores: 2\n"));
  EXPECT_THAT(out.str(), HasSubstr("same-node, TCP request-response, one core:"));
  EXPECT_THAT(out.str(), HasSubstr("| kube-cni | 300 (299 - 301) | 0.750 | 1.50 | 5.00 | 1.25 | "
                                   "0.625 | 5.00 | 9.00 | |\n"));
  EXPECT_THAT(out.str(), HasSubstr("same-node, UDP, 64 bytes, one core:"));
}

TEST(PathReport, HasTheSameInJson) {
  const auto report = to_json({{"cores", "2"}}, rows_of_three());

  EXPECT_EQ(report["facts"]["cores"], "2");
  const auto& kube_cni = report["rows"][2];
  EXPECT_EQ(kube_cni["work"], "tcp-rr");
  EXPECT_EQ(kube_cni["rate"]["median"], 300);
  EXPECT_EQ(kube_cni["rateToLimit"], 0.75);
  EXPECT_EQ(kube_cni["p99Us"]["median"], 9);
  EXPECT_FALSE(report["rows"][3].contains("p99Us"));
}

TEST(PathReport, HasALineForEachRowInCsv) {
  std::ostringstream out;

  print_csv(out, rows_of_three());

  EXPECT_THAT(out.str(), HasSubstr("\nsame-node,\"kube-cni\",tcp-rr,one,1,1/s,300,299,301,"));
}

TEST(PathReport, DrawsABarForEachCandidateAndNothingWithoutTheWork) {
  EXPECT_THAT(gnuplot_script(rows_of_three()), HasSubstr("\"kube-cni\" 0.625 NaN NaN\n"));
  EXPECT_EQ(gnuplot_script({row("bridge", 7, 7, Work::kStream1)}), "");
}

}  // namespace
}  // namespace kubecni::bench
