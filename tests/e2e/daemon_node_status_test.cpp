// kube-cnid and the API server: what the daemon writes to its Node, and by which address it reaches
// the server.

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/program.hpp"
#include "support/temp_dir.hpp"
#include "test_api_server/certificate.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

// After a lost connection it tries again soon, but not at once.
constexpr std::chrono::seconds kReconnect{15};

class DaemonNodeStatus : public testing::Test {
 protected:
  DaemonNodeStatus() {
    wire.connect_outside("192.0.2.254/24");
    wire.connect(node, "192.0.2.1/24");
    server = must(ApiServer::start({.address = "192.0.2.254"}));
    server->set_node(own_node());
  }

  static json own_node() { return make_node("node-a", "192.0.2.1", "10.200.1.0/24"); }

  void start_daemon(const std::vector<std::string>& options = {}) {
    start_daemon_with(node.bpffs(), options);
  }
  void start_daemon_with(const std::string& bpffs, const std::vector<std::string>& options = {}) {
    std::vector<std::string> argv{
        program("kube-cnid"), "--node-name", node.name(),   "--node-source",  "kubernetes",
        "--api-server",       server->url(), "--state-dir", node.state_dir(), "--run-dir",
        node.run_dir(),       "--bpffs",     bpffs};
    argv.insert(argv.end(), options.begin(), options.end());
    daemon.reset();
    daemon.emplace(Command{.argv = argv, .netns_fd = node.netns.fd()});
  }

  json condition(const char* type = "NetworkUnavailable") {
    for (const json& one :
         server->node("node-a").value("/status/conditions"_json_pointer, json::array()))
      if (one["type"] == type) return one;
    return json::object();
  }
  bool comes_to_say(const std::string& reason) {
    return eventually([&] { return condition().value("reason", "") == reason; }, kReconnect);
  }

  Wire wire{"wire"};
  Node node{"node-a", "10.200.1.0/24", "auto"};
  std::unique_ptr<ApiServer> server;
  std::optional<Process> daemon;
};

TEST_F(DaemonNodeStatus, SaysThatTheNetworkIsThereOnceTheNodeCanTakePods) {
  start_daemon();

  ASSERT_TRUE(comes_to_say("KubeCniReady")) << daemon->err();
  EXPECT_EQ(condition()["status"], "False");
  const Pod pod = node.add_pod("pod", {{"subnet", nullptr}});
  EXPECT_EQ(pod.address.str(), "10.200.1.2");
}

TEST_F(DaemonNodeStatus, SaysWhyTheNodeCannotTakePods) {
  json without_cidr = own_node();
  without_cidr["spec"] = json::object();
  server->set_node(without_cidr);
  server->set_node(make_node("node-b", "192.0.2.2", "10.200.2.0/24"));

  start_daemon();
  ASSERT_TRUE(comes_to_say("KubeCniNotReady")) << daemon->err();
  EXPECT_EQ(condition()["status"], "True");
  EXPECT_THAT(condition()["message"], testing::HasSubstr("spec.podCIDR is not assigned yet"));

  server->set_node(own_node());
  EXPECT_TRUE(comes_to_say("KubeCniReady")) << daemon->err();
}

TEST_F(DaemonNodeStatus, PutsTheConditionBackThatSomebodyRemoved) {
  start_daemon();
  ASSERT_TRUE(comes_to_say("KubeCniReady")) << daemon->err();

  server->set_node(own_node());

  EXPECT_TRUE(comes_to_say("KubeCniReady")) << daemon->err();
}

TEST_F(DaemonNodeStatus, ARestartWritesNothing) {
  start_daemon();
  ASSERT_TRUE(comes_to_say("KubeCniReady")) << daemon->err();
  const int looks = server->counters().asked["get nodes"];

  start_daemon();

  ASSERT_TRUE(eventually([&] { return server->counters().asked["get nodes"] > looks; }));
  ASSERT_TRUE(eventually([&] { return server->counters().live_watches == 1; }));
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0);
  EXPECT_EQ(server->counters().asked["patch nodes/status"], 1);
}

TEST_F(DaemonNodeStatus, RemovesTheStartUpTaintAndNoOther) {
  json tainted = own_node();
  tainted["spec"]["taints"] = {{{"key", "example.net/start"}, {"effect", "NoSchedule"}},
                               {{"key", "example.net/other"}, {"effect", "NoSchedule"}}};
  server->set_node(tainted);

  start_daemon({"--startup-taint", "example.net/start"});

  EXPECT_TRUE(eventually([&] {
    return server->node("node-a")["spec"]["taints"] ==
           json::array({{{"key", "example.net/other"}, {"effect", "NoSchedule"}}});
  })) << daemon->err();
}

TEST_F(DaemonNodeStatus, TellsWhyPodsGoByTheKernelPathAndWhenEbpfIsBack) {
  start_daemon_with("/run/no-bpffs");
  ASSERT_TRUE(comes_to_say("KubeCniKernelPathOnly")) << daemon->err();
  EXPECT_EQ(condition()["status"], "False");
  const auto events = server->events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["type"], "Warning");
  EXPECT_THAT(events[0]["message"], testing::HasSubstr("/run/no-bpffs"));

  start_daemon_with("/run/no-bpffs");
  ASSERT_TRUE(eventually([&] { return server->counters().live_watches == 1; }));
  EXPECT_EQ(server->counters().asked["create events"], 1);

  start_daemon();
  EXPECT_TRUE(comes_to_say("KubeCniReady")) << daemon->err();
  EXPECT_EQ(server->events().size(), 2u);
}

TEST_F(DaemonNodeStatus, TellsThatNoAddressIsFreeAndWhenOneIsFreeAgain) {
  const json small{{"subnet", "10.200.1.0/30"}};  // one address for pods
  const Pod pod = node.add_pod("pod", small);
  const auto is_exhausted = [&] {
    return condition("PodAddressesExhausted").value("status", "none");
  };

  start_daemon();
  ASSERT_TRUE(eventually([&] { return is_exhausted() == "True"; }, kReconnect)) << daemon->err();
  EXPECT_EQ(condition()["status"], "False") << "the pods have a network";
  EXPECT_THAT(must(read_file(node.run_dir() / "status.json")),
              testing::HasSubstr("10.200.1.0/30 has no address for another pod: 1 of 1"));

  ASSERT_TRUE(ok(node.cni("DEL", pod, small)));
  EXPECT_TRUE(eventually([&] { return is_exhausted() == "False"; }, std::chrono::seconds(60)))
      << daemon->err();
  const auto events = server->events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_THAT((std::vector<json>{events[0]["reason"], events[1]["reason"]}),
              testing::UnorderedElementsAre("NoFreeAddress", "AddressFree"));
}

TEST_F(DaemonNodeStatus, TellsWhichPolicyClosesPodsSinceItIsNotUnderstood) {
  const std::string policies = "/apis/networking.k8s.io/v1/networkpolicies";
  server->add_kind(policies, "NetworkPolicyList", "networkpolicies.networking.k8s.io");
  server->add_kind("/api/v1/pods", "PodList", "pods");
  server->add_kind("/api/v1/namespaces", "NamespaceList", "namespaces");
  server->set_object("/api/v1/pods", {{"metadata", {{"name", "pod"}, {"namespace", "shop"}}},
                                      {"spec", {{"nodeName", node.name()}}}});
  server->set_object("/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  server->set_object(policies, {{"metadata", {{"name", "odd"}, {"namespace", "shop"}}},
                                {"spec", {{"ingress", 1}}}});
  const Pod pod("pod");
  CniCall call = node.call_for("ADD", pod, {{"subnet", "10.200.1.0/24"}});
  std::erase(call.env, "CNI_ARGS=");
  call.env.push_back("CNI_ARGS=K8S_POD_NAMESPACE=shop;K8S_POD_NAME=pod");
  ASSERT_TRUE(ok(node.call(call)));
  const auto is_broken = [&] { return condition("NetworkPolicyBroken").value("status", "none"); };

  start_daemon();
  ASSERT_TRUE(eventually([&] { return is_broken() == "True"; }, kReconnect)) << daemon->err();
  EXPECT_THAT(condition("NetworkPolicyBroken")["message"],
              testing::HasSubstr("shop/odd closes the pods"));

  server->delete_object(policies, "odd");
  EXPECT_TRUE(eventually([&] { return is_broken() == "False"; }, kReconnect)) << daemon->err();
  std::vector<json> reasons;
  for (const json& event : server->events()) reasons.push_back(event["reason"]);
  EXPECT_THAT(reasons, testing::UnorderedElementsAre("PolicyNotEnforced", "PoliciesEnforced"));
}

TEST_F(DaemonNodeStatus, NodeWorksWithoutTheRightToWriteIt) {
  server->forbid("patch nodes/status");

  start_daemon();

  EXPECT_TRUE(eventually([&] {
    return daemon->err().find("allow this account to patch nodes/status") != std::string::npos;
  })) << daemon->err();
  EXPECT_EQ(node.add_pod("pod", {{"subnet", nullptr}}).address.str(), "10.200.1.2");
}

/// The server has a certificate for 192.0.2.250, and loses that address: like a ClusterIP, which
/// does not work before kube-proxy runs.
class ClusterAddress : public DaemonNodeStatus {
 protected:
  void SetUp() override {
    if (!can_make_certificates()) GTEST_SKIP() << "no openssl program";
    must(make_certificate(dir.path(), "server", "IP:192.0.2.250"));
    wire.connect_outside("192.0.2.250/24");
    server = must(ApiServer::start(
        {.address = "0.0.0.0", .cert_file = dir / "server.crt", .key_file = dir / "server.key"}));
    server->set_node(own_node());
    server->set_endpoints({"192.0.2.254"}, server->port());
    must(write_file_atomically(dir / "token", "secret"));
  }

  void start_daemon_here() { start_daemon_trusting("server.crt"); }
  void start_daemon_trusting(const std::string& ca, const std::vector<std::string>& options = {}) {
    std::vector<std::string> all{
        "--node-source", "kubernetes",
        "--api-server",  "https://192.0.2.250:" + std::to_string(server->port()),
        "--ca-file",     dir / ca,
        "--token-file",  dir / "token"};
    all.insert(all.end(), options.begin(), options.end());
    daemon.reset();
    daemon.emplace(node.start_daemon(all));
  }
  void take_address_away() {
    must_run({.argv = {"ip", "addr", "del", "192.0.2.250/24", "dev", "wire"}});
  }

  TempDir dir;
};

TEST_F(ClusterAddress, FailingOneIsReplacedByAServersAddress) {
  start_daemon_here();
  ASSERT_TRUE(eventually([&] {
    return std::filesystem::exists(node.state_dir() / "api-endpoints.json");
  })) << daemon->err();
  daemon.reset();
  take_address_away();
  // It is new, so the daemon must get it from the server.
  server->set_node(make_node("node-b", "192.0.2.2", "10.200.2.0/24"));

  start_daemon_here();

  EXPECT_TRUE(eventually([&] { return has_route(node, "10.200.2.0/24"); }, kReconnect))
      << daemon->err();
  EXPECT_TRUE(comes_to_say("KubeCniReady")) << daemon->err();
  const std::string server_used = " at 192.0.2.254:" + std::to_string(server->port());
  EXPECT_TRUE(eventually([&] {
    const auto status = read_file(node.run_dir() / "status.json");
    return status && status->find(server_used) != std::string::npos;
  }));
}

TEST_F(ClusterAddress, ServerOfAnotherClusterIsAcceptedOnlyOnDemandAndWithAWarning) {
  must(make_certificate(dir.path(), "other"));
  start_daemon_trusting("other.crt");
  ASSERT_TRUE(eventually([&] {
    return daemon->err().find("check that the CA file is the one") != std::string::npos;
  })) << daemon->err();

  start_daemon_trusting("other.crt", {"--insecure-skip-tls-verify"});

  EXPECT_TRUE(comes_to_say("KubeCniReady")) << daemon->err();
  EXPECT_THAT(
      daemon->err(),
      testing::HasSubstr("level=warn program=kube-cnid msg=\"--insecure-skip-tls-verify: "));
}

TEST_F(ClusterAddress, ReportedErrorIsThatOfTheConfiguredOne) {
  take_address_away();

  start_daemon_here();

  EXPECT_TRUE(eventually([&] { return daemon->err().find("nodes not read") != std::string::npos; },
                         kReconnect))
      << daemon->err();
  EXPECT_THAT(daemon->err(), testing::HasSubstr("check address and port"));
}

}  // namespace
}  // namespace kubecni::test
