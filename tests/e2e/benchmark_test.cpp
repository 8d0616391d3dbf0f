#include "net/link.hpp"
#include "support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cctype>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <tuple>

namespace kubecni::test {
namespace {

using testing::UnorderedElementsAreArray;
using Scenario = std::tuple<unsigned, unsigned, std::string, std::string>;

constexpr std::chrono::seconds kRunDeadline{90};

Command short_run() {
  return {.argv = {KUBECNI_BENCH, "cni", "--pods", "0,2", "--parallel", "2", "--rounds", "3",
                   "--batches", "1", "--warm-up", "1", "-o", "json"}};
}

/// What a run could leave on the machine, as seen in this test's sandbox.
std::set<std::string> things_on_the_machine() {
  std::set<std::string> things;
  for (const char* folder : {"/run", "/run/netns", "/sys/fs/bpf"})
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      things.insert(entry.path());
  auto netlink = must(NetlinkSocket::open());
  for (const auto& link : must(list_links(netlink))) things.insert("link " + link.name);
  for (const auto& entry : std::filesystem::directory_iterator("/proc"))
    if (std::isdigit(entry.path().filename().string()[0]) != 0) things.insert(entry.path());
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) things.insert(line);
  return things;
}

TEST(Benchmark, CniVerbsHaveARowForEachPluginAndScenario) {
  const Outcome outcome = run(short_run(), kRunDeadline);

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::vector<Scenario> found, wanted;
  const auto report = nlohmann::json::parse(outcome.out);
  for (const auto& row : report["rows"]) {
    found.emplace_back(row["pods"], row["atOnce"], row["verb"], row["plugin"]);
    EXPECT_GT(row["wallMs"]["median"], 0) << row;
    EXPECT_GT(row["cpuMs"]["median"], 0) << row;
    EXPECT_EQ(row["wallMs"]["samples"], row["atOnce"] == 1 ? 3 : 2) << row;
  }
  for (const unsigned pods : {0U, 2U})
    for (const unsigned at_once : {1U, 2U})
      for (const char* verb : {"ADD", "DEL"})
        for (const char* plugin :
             {"bridge", "ptp", "kube-cni ebpf", "kube-cni tcx", "kube-cni bridge"})
          wanted.emplace_back(pods, at_once, verb, plugin);
  EXPECT_THAT(found, UnorderedElementsAreArray(wanted));
}

TEST(Benchmark, FootprintHasEachProgramAndEachScenario) {
  const Outcome outcome = run({.argv = {KUBECNI_BENCH, "footprint", "--nodes", "3", "--pods", "2",
                                        "--settle", "0", "--seconds", "1", "-o", "json"}},
                              kRunDeadline);

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  for (const char* program : {"kube-cni", "kube-cnid", "kube-cnictl"})
    EXPECT_GT(report["sizes"].value(program, 0), 100'000) << report["sizes"];
  std::vector<std::string> scenarios;
  for (const auto& row : report["daemon"]) {
    scenarios.push_back(row["scenario"]);
    EXPECT_GT(row["rssBytes"], row["ownBytes"]) << row;
    EXPECT_GE(row["peakRssBytes"], row["rssBytes"]) << row;
    EXPECT_GE(row["threads"], 1) << row;
    EXPECT_GE(row["openFiles"], 3) << row;
    EXPECT_GE(row["probeCpuPercent"], 0) << row;
  }
  EXPECT_THAT(scenarios,
              testing::ElementsAre("1 node", "3 nodes", "3 nodes, 2 pods",
                                   "3 nodes, 2 pods, each node reports its status every 5 min",
                                   "3 nodes, 2 pods, 8 nodes a second get another address",
                                   "3 nodes, 2 pods, one of them takes its eth0 down and up"));
}

TEST(Benchmark, InterruptedRunLeavesNothingBehind) {
  const auto before = things_on_the_machine();
  Process bench(short_run());
  ASSERT_TRUE(eventually([&] { return bench.err().contains("1 at once"); })) << bench.err();

  bench.signal(SIGINT);

  EXPECT_EQ(bench.wait().status, 128 + SIGINT);
  EXPECT_TRUE(eventually([&] { return things_on_the_machine() == before; }));
}

}  // namespace
}  // namespace kubecni::test
