// Compares /metrics of a node with the test's pods and traffic, and with other sources.

#include "base/file.hpp"
#include "cluster.hpp"
#include "scrape.hpp"
#include "state/call_stats.hpp"
#include "support/traffic.hpp"

#include <fstream>
#include <set>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class MetricsOf : public testing::TestWithParam<const char*> {
 protected:
  Cluster cluster{GetParam()};
};

TEST_P(MetricsOf, ANodeSatisfyPromtool) {
  ASSERT_TRUE(ok(udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address)));

  const auto checked =
      run({.argv = {"promtool", "check", "metrics"}, .input = scrape(cluster.a).text});

  EXPECT_EQ(checked.status, 0);
  EXPECT_EQ(checked.out + checked.err, "");
}

TEST_P(MetricsOf, ANodeNameItsDataplane) {
  const bool ebpf = GetParam() == std::string("ebpf");

  const Scrape now = scrape(cluster.a);

  EXPECT_EQ(now["kube_cni_dataplane_mode{mode=\"ebpf\"}"], ebpf ? 1 : 0);
  EXPECT_EQ(now["kube_cni_dataplane_mode{mode=\"bridge\"}"], ebpf ? 0 : 1);
  EXPECT_EQ(now["kube_cni_endpoints{path=\"ebpf\"}"], ebpf ? 1 : 0);
  EXPECT_EQ(now["kube_cni_endpoints{path=\"kernel\"}"], ebpf ? 0 : 1);
  EXPECT_EQ(now.has("kube_cni_map_entries{map=\"endpoints4\"}"), ebpf);
  for (const char* part : {"exits", "maps", "endpoints", "leases", "calls"})
    EXPECT_EQ(now[std::string("kube_cni_collector_success{collector=\"") + part + "\"}"], 1);
}

INSTANTIATE_TEST_SUITE_P(In, MetricsOf, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return std::string(tested.param); });

class Metrics : public testing::Test {
 protected:
  static std::string calls_of(const std::string& verb) {
    return "kube_cni_plugin_call_duration_seconds_count{verb=\"" + verb + "\"}";
  }
  static std::string errors_of(const std::string& verb, const std::string& code) {
    return "kube_cni_plugin_errors_total{code=\"" + code + "\",verb=\"" + verb + "\"}";
  }
  Cluster cluster{"ebpf"};
};

TEST_F(Metrics, CountPacketsAsTheMapsDo) {
  ASSERT_TRUE(ok(udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address)));

  // The kernel sends packets now and then, also between two looks.
  ExitCounts before;
  std::optional<Scrape> now;
  ASSERT_TRUE(eventually([&] {
    before = cluster.a.counters();
    now = scrape(cluster.a);
    return growth(before, cluster.a.counters()).empty();
  }));
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string reason = std::string("{reason=\"") + kExitReasons[i].name + "\"}";
    EXPECT_EQ((*now)["kube_cni_exit_packets_total" + reason], before[i].packets) << reason;
    EXPECT_EQ((*now)["kube_cni_exit_bytes_total" + reason], before[i].bytes) << reason;
  }
  EXPECT_GE((*now)["kube_cni_exit_packets_total{reason=\"FAST_TO_NODE\"}"], 5);
}

TEST_F(Metrics, CountThePluginsCallsAndErrors) {
  const Scrape before = scrape(cluster.a);
  EXPECT_EQ(before[calls_of("ADD")], 1);

  const Pod more = cluster.add_pod(cluster.a, "more");
  EXPECT_EQ(cluster.a.cni("ADD", more).code(), 4u);  // has its interface already
  EXPECT_EQ(cluster.a.cni("ADD", more, {{"mtu", "many"}}).code(), 7u);
  EXPECT_EQ(cluster.a.cni("DEL", more).status, 0);
  EXPECT_EQ(cluster.a.cni("DEL", more).status, 0);
  EXPECT_EQ(cluster.a.cni("STATUS", more).status, 0);

  const Scrape after = scrape(cluster.a);
  EXPECT_EQ(after[calls_of("ADD")], 4);
  EXPECT_EQ(after[calls_of("DEL")], 2);
  EXPECT_EQ(after[calls_of("STATUS")], 1);
  EXPECT_EQ(after[errors_of("ADD", "4")], 1);
  EXPECT_EQ(after[errors_of("ADD", "7")], 1);
  double errors = 0;
  for (const auto& [series, value] : after.values)
    if (series.starts_with("kube_cni_plugin_errors_total")) errors += value;
  EXPECT_EQ(errors, 2);
  const double seconds = after["kube_cni_plugin_call_duration_seconds_sum{verb=\"ADD\"}"];
  EXPECT_GT(seconds, 0.001);
  EXPECT_LT(seconds, 60);
}

TEST_F(Metrics, FollowPodsAndAddresses) {
  const std::string pool = "{network=\"pods\",pool=\"10.200.1.2-10.200.1.254\"}";
  const Pod more = cluster.add_pod(cluster.a, "more");

  const Scrape with = scrape(cluster.a);
  ASSERT_EQ(cluster.a.cni("DEL", more).status, 0);
  const Scrape without = scrape(cluster.a);

  EXPECT_EQ(with["kube_cni_endpoints{path=\"ebpf\"}"], 2);
  EXPECT_EQ(with["kube_cni_map_entries{map=\"endpoints4\"}"], 2);
  EXPECT_EQ(with["kube_cni_map_max_entries{map=\"endpoints4\"}"], KUBECNI_MAX_ENDPOINTS);
  EXPECT_EQ(with["kube_cni_ipam_leases" + pool], 2);
  EXPECT_EQ(with["kube_cni_ipam_addresses" + pool], 253);
  EXPECT_EQ(without["kube_cni_endpoints{path=\"ebpf\"}"], 1);
  EXPECT_EQ(without["kube_cni_map_entries{map=\"endpoints4\"}"], 1);
  EXPECT_EQ(without["kube_cni_ipam_leases" + pool], 1);
}

TEST_F(Metrics, SayWhatIsKnownOfTheCluster) {
  auto nodes = Cluster::two_nodes();
  nodes.push_back(make_node("node-c", "192.0.2.3", "10.200.2.0/24"));  // node-b's
  cluster.write_nodes(nodes);

  EXPECT_TRUE(eventually([&] { return scrape(cluster.a)["kube_cni_nodes_skipped"] == 1; }));

  const Scrape now = scrape(cluster.a);
  EXPECT_EQ(now["kube_cni_nodes_known"], 2);
  EXPECT_EQ(now["kube_cni_watch_connected"], 1);
  EXPECT_LT(now["kube_cni_watch_age_seconds"], 60);
  EXPECT_EQ(now["kube_cni_ready"], 1);
  EXPECT_GE(now["kube_cni_reconcile_duration_seconds_count"], 2);
  EXPECT_GT(now["kube_cni_reconcile_changes_total"], 5);
  EXPECT_EQ(now["kube_cni_reconcile_last_errors"], 0);
  EXPECT_GT(now["kube_cni_reconcile_last_success_timestamp_seconds"], 1.6e9);

  cluster.write_file("garbage");
  EXPECT_TRUE(eventually([&] {
    return scrape(cluster.a)["kube_cni_reconcile_duration_seconds_count"] >
           now["kube_cni_reconcile_duration_seconds_count"];
  }));
}

TEST_F(Metrics, LeaveOutWhatIsDamagedAndSaySo) {
  must(write_file_atomically(call_stats_path(cluster.a.run_dir()), "garbage"));

  const Scrape damaged = scrape(cluster.a);
  const Pod more = cluster.add_pod(cluster.a, "more");
  const Scrape again = scrape(cluster.a);

  EXPECT_EQ(damaged["kube_cni_collector_success{collector=\"calls\"}"], 0);
  EXPECT_FALSE(damaged.has(calls_of("ADD")));
  EXPECT_EQ(damaged["kube_cni_collector_success{collector=\"exits\"}"], 1);
  EXPECT_EQ(again["kube_cni_collector_success{collector=\"calls\"}"], 1);
  EXPECT_EQ(again[calls_of("ADD")], 1);
  EXPECT_THAT(cluster.daemon_a->err(), HasSubstr("collector=calls"));
}

TEST_F(Metrics, AreServedWithoutPins) {
  std::filesystem::remove_all(cluster.a.bpffs());

  EXPECT_EQ(scrape(cluster.a)["kube_cni_endpoints{path=\"ebpf\"}"], 1);
}

TEST_F(Metrics, HaveNoNameOfPodsOrPeers) {
  const std::string text = scrape(cluster.a).text;

  for (const std::string& name : {cluster.pod_a->container_id, cluster.pod_a->address.str(),
                                  cluster.a.attachment(*cluster.pod_a).port.host_ifname})
    EXPECT_THAT(text, Not(HasSubstr("\"" + name + "\"")));
  for (const char* peer : {"node-b", "10.200.2.", "192.0.2."})
    EXPECT_THAT(text, Not(HasSubstr(peer)));
}

/// The labels of a family, as "`code`, `verb`".
std::string labels_of(const std::string& family, const Scrape& scrape) {
  std::set<std::string> labels;
  for (const auto& [series, value] : scrape.values) {
    const auto brace = series.find('{');
    const std::string name = series.substr(0, brace);
    if (brace == std::string::npos || (name != family && name != family + "_bucket")) continue;
    std::string rest = series.substr(brace + 1);
    for (auto equal = rest.find("=\""); equal != std::string::npos; equal = rest.find("=\"")) {
      const std::string label = rest.substr(0, equal);
      if (label != "le") labels.insert("`" + label + "`");
      rest.erase(0, rest.find('"', equal + 2) + 2);
    }
  }
  std::string text;
  for (const auto& label : labels) text += (text.empty() ? "" : ", ") + label;
  return text;
}

TEST_F(Metrics, AreListedInTheDocuments) {
  const auto page = must(read_file(KUBECNI_SOURCE_DIR "/docs/metrics.md"));
  const Scrape now = scrape(cluster.a);

  std::string table = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n";
  for (const auto& [name, help] : now.help)
    table += "| `" + name + "` | " + now.type.at(name) + " | " + labels_of(name, now) + " | " +
             help + " |\n";

  EXPECT_THAT(page, HasSubstr(table)) << "the table has to be:\n" << table;
}

}  // namespace
}  // namespace kubecni::test
