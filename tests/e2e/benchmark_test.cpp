#include "net/link.hpp"
#include "support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cctype>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
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
  const Outcome outcome =
      run({.argv = {KUBECNI_BENCH, "footprint", "--nodes", "3", "--pods", "2", "--settle", "0",
                    "--seconds", "1", "--cluster-pods", "20", "--policies", "4", "-o", "json"}},
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
                                   "3 nodes, 2 pods, one of them takes its eth0 down and up",
                                   "3 nodes, 2 pods of 20, default deny",
                                   "3 nodes, 2 pods of 20, 4 policies"));
  ASSERT_EQ(report["delays"].size(), 4u) << report["delays"];
  for (const auto& row : report["delays"]) EXPECT_GT(row["medianMs"], 0) << row;
}

TEST(Benchmark, SyncSeesEachChangeInMapAndRoutes) {
  const Outcome outcome = run({.argv = {KUBECNI_BENCH, "sync", "--nodes", "4", "--changes", "2",
                                        "--settle", "0", "--calls", "1", "-o", "json"}},
                              kRunDeadline);

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  std::vector<std::string> changes;
  for (const auto& row : report["rows"]) {
    EXPECT_GT(row["median"], 0) << row;
    if (row["times"] == 2) changes.push_back(row["what"]);
  }
  EXPECT_THAT(changes,
              testing::ElementsAre("a node gets other addresses", "a node goes", "a node comes"));
}

TEST(Benchmark, ProgHasATimeForEachWalkAndASizeForEachProgram) {
  const Outcome outcome =
      run({.argv = {KUBECNI_BENCH, "prog", "--calls", "2", "-o", "json"}}, kRunDeadline);

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  std::set<std::string> timed, counted;
  for (const auto& walk : report["walks"]) {
    timed.insert(walk["program"]);
    EXPECT_EQ(walk["ns"]["samples"], 2) << walk;
    EXPECT_FALSE(walk["exit"].get<std::string>().empty()) << walk;
  }
  for (const auto& program : report["programs"]) {
    counted.insert(program["program"]);
    EXPECT_GT(program["instructions"], 100) << program;
    EXPECT_GT(program["verifiedInstructions"], 100) << program;
  }
  const std::set<std::string> programs{"from_pod", "to_pod",    "from_wire",
                                       "to_wire",  "to_tunnel", "from_tunnel"};
  EXPECT_EQ(timed, programs);
  EXPECT_EQ(counted, programs);
}

/// One tiny round; the figures of such a run say nothing.
Command path_run(std::vector<std::string> choice) {
  Command command{.argv = {KUBECNI_BENCH, "path", "--rounds", "1", "-o", "json"}};
  command.argv.insert(command.argv.end(), choice.begin(), choice.end());
  return command;
}

TEST(Benchmark, PathHasARowForEachCandidateAndWork) {
  const Outcome outcome =
      run(path_run({"--window", "10", "--only", "same-node", "--candidate", "eBPF"}), kRunDeadline);

  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::vector<std::tuple<std::string, std::string, std::string>> found, wanted;
  const auto report = nlohmann::json::parse(outcome.out);
  for (const auto& row : report["rows"]) {
    found.emplace_back(row["candidate"], row["work"], row["cores"]);
    EXPECT_GT(row["rate"]["median"], 0) << row;
    EXPECT_GT(row["cpu"]["median"], 0) << row;
    EXPECT_GT(row["rateToReference"], 0) << row;
    EXPECT_GT(row["cpuToLimit"], 0) << row;
    EXPECT_EQ(row.contains("p99Us"), row["work"] == "tcp-rr" || row["work"] == "tcp-crr") << row;
    if (row["candidate"].get<std::string>().contains("eBPF")) {
      EXPECT_GT(row["ebpfShare"]["median"], 0.9) << row;
    }
  }
  for (const char* candidate :
       {"veth pair", "bridge", "kube-cni eBPF, filters", "kube-cni eBPF, links"})
    for (const char* work : {"tcp-1", "tcp-8", "tcp-rr", "tcp-crr", "udp-64", "udp-1400"})
      for (const char* cores : {"two", "one"}) wanted.emplace_back(candidate, work, cores);
  EXPECT_THAT(found, UnorderedElementsAreArray(wanted));
}

/// The number of rows by group of such a run, all of which have a rate.
std::map<std::string, unsigned> rows_of(const std::vector<std::string>& choice) {
  const Outcome outcome = run(path_run(choice), kRunDeadline);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  std::map<std::string, unsigned> rows;
  const auto report = nlohmann::json::parse(outcome.out, nullptr, false);
  if (!report.is_object()) return rows;
  for (const auto& row : report["rows"]) {
    ++rows[row["group"]];
    EXPECT_GT(row["rate"]["median"], 0) << row;
  }
  return rows;
}

TEST(Benchmark, PathReachesOtherNodes) {
  const std::map<std::string, unsigned> wanted{{"two-nodes", 10}};
  EXPECT_EQ(rows_of({"--window", "10", "--only", "two-nodes", "--candidate", "eBPF", "--work",
                     "tcp-crr,udp-64", "--cores", "one"}),
            wanted);
}

TEST(Benchmark, PathReachesServices) {
  const std::map<std::string, unsigned> wanted{{"service-same-node", 8}, {"service-other-node", 8}};
  EXPECT_EQ(rows_of({"--window", "10", "--only", "service-same-node,service-other-node",
                     "--candidate", "1 Service", "--work", "tcp-crr,udp-64", "--cores", "one"}),
            wanted);
}

/// Ends the run with Ctrl-C once it has said `said`.
void expect_nothing_left_of(const Command& command, const std::string& said) {
  const auto before = things_on_the_machine();
  Process bench(command);
  ASSERT_TRUE(eventually([&] { return bench.err().contains(said); })) << bench.err();

  bench.signal(SIGINT);

  EXPECT_EQ(bench.wait().status, 128 + SIGINT);
  EXPECT_TRUE(eventually([&] { return things_on_the_machine() == before; }));
}

TEST(Benchmark, InterruptedRunLeavesNothingBehind) {
  expect_nothing_left_of(short_run(), "1 at once");
}

TEST(Benchmark, InterruptedPathLeavesNothingBehind) {
  expect_nothing_left_of(
      path_run({"--only", "two-nodes", "--candidate", "direct, eBPF", "--window", "1000"}),
      "making two-nodes: kube-cni");
}

}  // namespace
}  // namespace kubecni::test
