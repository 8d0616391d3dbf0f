// Compares deploy/'s files for Prometheus and Grafana with what a node serves.

#include "base/file.hpp"
#include "cluster.hpp"
#include "scrape.hpp"
#include "support/temp_dir.hpp"

#include <set>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// Every value of `key`, however deep.
void find_all(const json& value, const std::string& key, std::vector<std::string>& found) {
  for (const auto& [name, member] : value.items()) {
    if (member.is_structured())
      find_all(member, key, found);
    else if (value.is_object() && name == key)
      found.push_back(member.get<std::string>());
  }
}

class Dashboard : public testing::Test {
 protected:
  std::vector<std::string> expressions() {
    std::vector<std::string> found;
    find_all(dashboard, "expr", found);
    EXPECT_GT(found.size(), 20u);
    return found;
  }

  json dashboard =
      json::parse(must(read_file(KUBECNI_SOURCE_DIR "/deploy/grafana-dashboard.json")));
};

TEST_F(Dashboard, AsksOnlyForWhatANodeServes) {
  const Cluster cluster("ebpf");
  const Scrape now = scrape(cluster.a);

  for (const auto& expression : expressions())
    EXPECT_EQ(find_unknown_metric(expression, now), "") << expression;
}

TEST_F(Dashboard, HasExpressionsThatPrometheusTakes) {
  std::string rules = "groups:\n- name: dashboard\n  rules:\n";
  for (auto expression : expressions()) {
    const std::string interval = "$__rate_interval";
    for (auto at = expression.find(interval); at != std::string::npos;
         at = expression.find(interval))
      expression.replace(at, interval.size(), "5m");
    rules += "  - record: panel" + std::to_string(std::hash<std::string>()(expression)) +
             "\n    expr: " + json(expression).dump() + "\n";
  }
  const TempDir folder;
  must(write_file_atomically(folder / "rules.yaml", rules));

  const auto checked = run({.argv = {"promtool", "check", "rules", folder / "rules.yaml"}});

  EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("SUCCESS"));
}

TEST_F(Dashboard, CanBeImportedAndAsksForItsDataSource) {
  EXPECT_GE(dashboard["schemaVersion"], 30);
  EXPECT_TRUE(dashboard["id"].is_null());
  EXPECT_EQ(dashboard["__inputs"][0]["pluginId"], "prometheus");
  const std::string input = "${" + dashboard["__inputs"][0]["name"].get<std::string>() + "}";
  EXPECT_EQ(dashboard["templating"]["list"][0]["current"]["value"], input);
  std::set<int> ids;
  for (const json& panel : dashboard["panels"]) {
    EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second) << "twice: " << panel["id"];
    if (panel["type"] == "row") continue;
    EXPECT_EQ(panel["datasource"]["uid"], "${datasource}") << panel["title"];
  }
}

TEST(AlertRules, AreTakenByPromtoolAndAskOnlyForWhatANodeServes) {
  const std::string path = KUBECNI_SOURCE_DIR "/deploy/prometheus-rules.yaml";
  const Cluster cluster("ebpf");

  const auto checked = run({.argv = {"promtool", "check", "rules", path}});

  EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("SUCCESS"));
  EXPECT_EQ(find_unknown_metric(must(read_file(path)), scrape(cluster.a)), "");
}

}  // namespace
}  // namespace kubecni::test
