#include "bench/process_usage.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cerrno>

namespace kubecni::bench {
namespace {

TEST(ProcessUsage, ThisProcessHasUsage) {
  const auto usage = usage_of(::getpid());

  ASSERT_TRUE(usage) << usage.error().what;
  EXPECT_GT(usage->resident, usage->anonymous);
  EXPECT_GE(usage->peak_resident, usage->resident);
  EXPECT_GE(usage->threads, 1u);
  EXPECT_GE(usage->open_files, 3u);
}

TEST(ProcessUsage, MissingProcessIsAnError) { EXPECT_EQ(usage_of(0).error().code, ENOENT); }

TEST(ProcessUsage, CpuIsFoundBehindANameWithBlanksAndParentheses) {
  const std::string stat = "7 (a) R (b) S 1 7 7 0 -1 4194560 100 200 3 4 25 17 9 9 20 0 1 0";

  EXPECT_EQ(cpu_ticks_in_stat(stat).value(), 42u);
}

TEST(ProcessUsage, CutOffStatIsAnError) {
  EXPECT_EQ(cpu_ticks_in_stat("7 (kube-cnid) S 1 7").error().code, EBADMSG);
}

TEST(ProcessUsage, NumberIsFoundByItsWholeName) {
  const std::string status = "Name:\tkube-cnid\nVmHWM:\t   300 kB\nVmRSS:\t   200 kB\n";

  EXPECT_EQ(number_in_status(status, "VmRSS").value(), 200u);
  EXPECT_EQ(number_in_status(status, "Vm").error().code, EBADMSG);
}

}  // namespace
}  // namespace kubecni::bench
