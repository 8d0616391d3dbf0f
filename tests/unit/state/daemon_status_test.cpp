#include "state/daemon_status.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using nlohmann::json;

/// With an entry in each list.
DaemonStatus full() {
  DaemonStatus status;
  status.pid = 4711;
  status.version = "1.2.3";
  status.node_name = "n1";
  status.known = true;
  status.pod_cidrs = {"10.200.1.0/24", "fd00:1::/64"};
  status.mtu = 1450;
  status.health = "off";
  status.dataplane = "ebpf";
  status.wires = {"eth0"};
  status.nodes = {{"n2", "10.200.2.0/24", "direct", "192.0.2.2", "eth0", 1500, "on a link"}};
  status.bgp = {{"n2", "192.0.2.2", 64512, "Established"}};
  status.probes = {
      1, 1, 0, {{"n2", "10.200.2.0", "silent", false, "2026-11-29T12:00:00Z", "lost"}}};
  status.skipped = {{"n3", "no PodCIDR"}};
  status.warnings = {{"n4", "an address of the internet"}};
  status.full_pools = {"10.200.1.0/24 is full"};
  status.cni = {"/etc/cni/net.d/a.conflist", true, "", "1.0.0", {"kube-cni"}, {"one"}};
  status.errors = {"route: no"};
  return status;
}

TEST(DaemonStatus, IsReadAsItWasWritten) {
  const TempDir dir;

  ASSERT_TRUE(write_daemon_status(dir.path(), full()));

  const auto read = read_daemon_status(dir.path());
  ASSERT_TRUE(read) << read.error().what;
  ASSERT_TRUE(*read);
  EXPECT_EQ(to_json(**read), to_json(full()));
}

TEST(DaemonStatus, IsEmptyBeforeTheDaemonReported) {
  const TempDir dir;

  EXPECT_FALSE(read_daemon_status(dir.path()).value().has_value());
}

TEST(DaemonStatus, WithoutAKeyOrWithAWrongOneIsDamagedAndNamesIt) {
  const json good = to_json(full());
  for (const auto& [key, value] : good.items()) {
    if (key == "format") continue;
    json without = good;
    without.erase(key);
    json wrong = good;
    wrong[key] = json::array({1});
    for (const json& damaged : {without, wrong}) {
      const auto status = parse_daemon_status(damaged.dump());

      ASSERT_FALSE(status) << key;
      EXPECT_EQ(status.error().code, EBADMSG);
      EXPECT_NE(status.error().what.find("\"" + key + "\""), std::string::npos)
          << status.error().what;
    }
  }
}

TEST(DaemonStatus, CutOffIsDamaged) {
  const std::string text = to_json(full()).dump();

  EXPECT_EQ(parse_daemon_status(text.substr(0, text.size() / 2)).error().code, EBADMSG);
}

TEST(DaemonStatus, UnknownFieldsOfANewerDaemonAreIgnored) {
  json newer = to_json(full());
  newer["format"] = DaemonStatus::kFormat + 1;
  newer["policies"] = {{"count", 3}};
  newer["nodes"][0]["latency"] = 7;
  newer["nodes"][0].erase("why");
  newer.erase("wires");

  const auto status = parse_daemon_status(newer.dump());

  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ(status->node_name, "n1");
  EXPECT_EQ(status->nodes.at(0).next_hop, "192.0.2.2");
  EXPECT_TRUE(status->wires.empty());
}

TEST(DaemonStatus, MissingFieldsOfAnOlderDaemonHaveDefaults) {
  const auto status = parse_daemon_status(R"({"pid": 7, "nodeName": "n1", "errors": ["one"]})");

  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ(status->format, 0u);
  EXPECT_EQ(status->pid, 7u);
  EXPECT_EQ(status->errors, std::vector<std::string>{"one"});
  EXPECT_EQ(status->cni.list, "");
}

TEST(DaemonStatus, AWrongTypeIsDamagedInEachFormat) {
  for (const char* text : {R"({"pid": "7"})", R"({"format": 99, "nodes": [{"mtu": -1}]})", "[]"})
    EXPECT_EQ(parse_daemon_status(text).error().code, EBADMSG) << text;
}

}  // namespace
}  // namespace kubecni::test
