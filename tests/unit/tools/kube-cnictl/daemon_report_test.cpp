#include "daemon_report.hpp"

#include "base/file.hpp"
#include "daemon/status_file.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni::test {
namespace {

using nlohmann::json;

class DaemonReport : public testing::Test {
 protected:
  /// What the daemon itself writes.
  std::string written() {
    ClusterView view;
    view.skipped = {{"n3", "node n3: spec.podCIDR is not assigned yet"}};
    view.warnings = {{"n4", "InternalIP 8.8.4.4 is an address in the internet"}};
    EXPECT_TRUE(write_status(dir_.path(), "n1", "file:/nodes.json", "", "off", view, {}));
    return read_file(dir_ / "status.json").value();
  }

  TempDir dir_;
};

TEST_F(DaemonReport, OfTheDaemonIsRead) {
  const auto report = parse_daemon_report(written());

  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ((*report)["nodeName"], "n1");
  EXPECT_EQ((*report)["skipped"][0]["name"], "n3");
  EXPECT_EQ((*report)["warnings"][0]["name"], "n4");
}

TEST_F(DaemonReport, WithoutAKeyOrWithAWrongOneIsDamagedAndNamesIt) {
  const json good = json::parse(written());
  for (const char* key :
       {"pid", "nodeName", "known", "podCIDRs", "mtu", "source", "sourceError", "metrics",
        "dataplane", "fallbackReason", "wires", "nodes", "skipped", "warnings", "errors",
        "tunnelChecksumOffload", "noConntrackReason", "cni"}) {
    json without = good;
    without.erase(key);
    json wrong = good;
    wrong[key] = json::array({1});
    for (const json& damaged : {without, wrong}) {
      const auto report = parse_daemon_report(damaged.dump());

      ASSERT_FALSE(report) << key;
      EXPECT_EQ(report.error().code, EBADMSG);
      EXPECT_NE(report.error().what.find(std::string("\"") + key + "\""), std::string::npos)
          << report.error().what;
    }
  }
}

TEST_F(DaemonReport, CutOffIsDamaged) {
  const std::string text = written();

  EXPECT_EQ(parse_daemon_report(text.substr(0, text.size() / 2)).error().code, EBADMSG);
}

}  // namespace
}  // namespace kubecni::test
