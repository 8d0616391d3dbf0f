// The bandwidth plugin limits a pod by queueing disciplines on its veth. A redirect would bypass
// them, so such a pod's traffic takes the kernel path.

#include "base/file.hpp"
#include "expect.hpp"
#include "support/cni_list.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"
#include "test_api_server/api_server.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

constexpr unsigned kBytes = 256 << 10;
constexpr unsigned kRate = 40'000'000;  // bits per second
constexpr unsigned kBurst = 400'000;    // bits: less than the test sends

const json kLimit{{"ingressRate", kRate},
                  {"ingressBurst", kBurst},
                  {"egressRate", kRate},
                  {"egressBurst", kBurst}};

class Bandwidth : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path conf_dir() const { return node.folder() / "net.d"; }
  [[nodiscard]] std::vector<json> both_with_the_capability() const {
    const json capabilities{{"bandwidth", true}};
    return {{{"type", "kube-cni"}, {"confDir", conf_dir()}, {"capabilities", capabilities}},
            {{"type", "bandwidth"}, {"capabilities", capabilities}}};
  }

  /// The bytes that passed the queueing disciplines of the node's link.
  [[nodiscard]] std::uint64_t bytes_through_qdisc(const std::string& link) const {
    for (const json& qdisc :
         json::parse(node.must_run({"tc", "-s", "-j", "qdisc", "show", "dev", link})))
      if (qdisc["kind"] == "tbf") return qdisc["bytes"];
    return 0;
  }
  /// The tbf for what the pod sends is on an ifb device.
  [[nodiscard]] std::string ifb() const {
    for (const json& link : json::parse(node.must_run({"ip", "-j", "link", "show", "type", "ifb"})))
      if (!link.empty()) return link["ifname"];
    return "";
  }

  [[nodiscard]] std::string host_ifname() const { return node.attachment(pod).port.host_ifname; }
  [[nodiscard]] bool is_shaped() const {
    const auto endpoint =
        must(node.dataplane().pods.endpoints.endpoints().find(node.endpoint_key(pod)));
    return endpoint && (endpoint->flags & KUBECNI_ENDPOINT_SHAPED);
  }

  void expect_limited() {
    const auto before = node.counters();
    EXPECT_TRUE(ok(tcp_transfer(other.netns, pod.netns, pod.address, kBytes)));
    EXPECT_GE(bytes_through_qdisc(host_ifname()), kBytes) << "to the pod";
    EXPECT_TRUE(ok(tcp_transfer(pod.netns, other.netns, other.address, kBytes)));
    EXPECT_GE(bytes_through_qdisc(ifb()), kBytes) << "from the pod";
    const auto after = node.counters();
    EXPECT_EQ(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 0u) << growth(before, after);
    EXPECT_GT(grown(before, after, KUBECNI_PASS_SHAPED), 0u) << growth(before, after);
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod other = node.add_pod("other");
  Pod pod{"pod"};
};

TEST_F(Bandwidth, RequestedByTheRuntimeIsMadeOnceWithoutADaemon) {
  const auto plugins = both_with_the_capability();
  must(ensure_directory(conf_dir()));
  must(write_file_atomically(conf_dir() / "10-pods.conflist",
                             json{{"name", "pods"}, {"plugins", plugins}}.dump()));
  CniList list(node, plugins);

  ASSERT_TRUE(ok(list.add(pod, {{"bandwidth", kLimit}})));

  EXPECT_TRUE(node.attachment(pod).bandwidth.empty());
  EXPECT_EQ(json::parse(node.must_run({"ip", "-j", "link", "show", "type", "ifb"})).size(), 1u);
  expect_limited();
  EXPECT_TRUE(ok(list.check(pod)));
  EXPECT_TRUE(ok(list.del(pod)));
}

TEST_F(Bandwidth, IsNotMadeTwiceInSilenceWhereTheListIsUnknown) {
  const std::string before = state_of(node, {&pod}, false);
  CniList list(node, both_with_the_capability());

  const CniAnswer answer = list.add(pod, {{"bandwidth", kLimit}});

  EXPECT_FALSE(node.attachment(pod).bandwidth.empty());
  EXPECT_NE(answer.status, 0);
  EXPECT_THAT(answer.msg(), testing::HasSubstr("file exists"));
  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

TEST_F(Bandwidth, DaemonNoticesTheLimitOfTheList) {
  const auto nodes = node.folder() / "nodes.json";
  must(write_file_atomically(
      nodes,
      json{{"kind", "List"}, {"items", {make_node("node", "192.0.2.1", "10.200.0.0/24")}}}.dump()));
  json limiter = kLimit;
  limiter["type"] = "bandwidth";
  for (const auto& plugins : {std::vector<json>{{{"type", "kube-cni"}}, limiter},
                              {{{"type", "loopback"}}, {{"type", "kube-cni"}}, limiter}}) {
    Process daemon = node.start_daemon({"--node-source", "file:" + nodes.string()});
    CniList list(node, plugins);
    ASSERT_TRUE(ok(list.add(pod)));

    EXPECT_TRUE(eventually([&] { return is_shaped(); })) << daemon.err();
    expect_limited();
    EXPECT_TRUE(ok(list.check(pod)));

    // And back, when the limit is removed.
    node.must_run({"tc", "qdisc", "del", "dev", host_ifname(), "root"});
    node.must_run({"tc", "qdisc", "del", "dev", host_ifname(), "ingress"});
    EXPECT_TRUE(eventually([&] { return !is_shaped(); })) << daemon.err();
    EXPECT_TRUE(ok(list.del(pod)));
  }
}

}  // namespace
}  // namespace kubecni::test
