// What kube-cnid asks the API server for, as far as policies of its node's pods need it, and what
// it enforces meanwhile.

#include "cluster.hpp"
#include "support/program.hpp"

#include <algorithm>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kPods = "/api/v1/pods";
constexpr const char* kSpaces = "/api/v1/namespaces";
constexpr const char* kPolicies = "/apis/networking.k8s.io/v1/networkpolicies";
// Of requests for pods.
constexpr const char* kHere = "spec.nodeName%3Dnode-a";
constexpr const char* kElsewhere = "spec.nodeName%21%3Dnode-a";
constexpr const char* kPeer = "10.200.2.9";

/// A node with a pod `web` of the namespace shop, which has the policy `deny`. The pod `peer` is on
/// another node.
class PolicyPeers : public testing::Test {
 protected:
  PolicyPeers() {
    wire.connect_outside("192.0.2.254/24");
    wire.connect(node, "192.0.2.1/24");
    server = must(ApiServer::start({.address = "192.0.2.254"}));
    server->set_node(make_node("node-a", "192.0.2.1", "10.200.1.0/24"));
    server->set_object(kSpaces, {{"metadata", {{"name", "shop"}}}});
    announce_pod("web", "node-a");
    announce_pod("late", "node-a");
    announce_pod("peer", "node-b", kPeer);
    server->set_object(kPolicies, policy("deny", R"({"podSelector":{}})"));
    daemon.emplace(Command{
        .argv = {program("kube-cnid"), "--node-name", "node-a", "--node-source", "kubernetes",
                 "--dataplane", "bridge", "--api-server", server->url(), "--state-dir",
                 node.state_dir(), "--run-dir", node.run_dir(), "--bpffs", node.bpffs()},
        .netns_fd = node.netns.fd()});
    await_table("known4");
  }

  void announce_pod(const std::string& name, const std::string& on, const std::string& ip = "") {
    json pod{{"metadata", {{"name", name}, {"namespace", "shop"}, {"labels", {{"pod", name}}}}},
             {"spec", {{"nodeName", on}}},
             {"status", {{"phase", "Running"}}}};
    if (!ip.empty()) pod["status"]["podIP"] = ip;
    server->set_object(kPods, pod);
  }
  static json policy(const std::string& name, const std::string& spec) {
    return {{"metadata", {{"name", name}, {"namespace", "shop"}}}, {"spec", json::parse(spec)}};
  }
  /// The pod called `subject` gets what pods of the namespace send.
  void announce_policy_for(const std::string& subject) {
    server->set_object(
        kPolicies, policy("friends", R"({"podSelector":{"matchLabels":{"pod":")" + subject + R"("}},
        "ingress":[{"from":[{"podSelector":{}}]}]})"));
  }

  [[nodiscard]] CniCall adding(const Pod& pod, int seconds_to_wait) const {
    CniCall call =
        node.call_for("ADD", pod, {{"subnet", nullptr}, {"policyTimeout", seconds_to_wait}});
    std::erase(call.env, "CNI_ARGS=");
    call.env.push_back("CNI_ARGS=K8S_POD_NAMESPACE=shop;K8S_POD_NAME=" + pod.netns.name());
    return call;
  }

  [[nodiscard]] std::string table() const { return node.must_run({"nft", "list", "ruleset"}); }
  void await_table(const std::string& text) const {
    const std::chrono::minutes deadline{1};  // the first round of a busy machine may take long
    ASSERT_TRUE(eventually([&] { return table().find(text) != std::string::npos; }, deadline))
        << text << "\n"
        << table() << daemon->err();
  }
  [[nodiscard]] std::string status() const {
    return node.must_run({program("kube-cnictl"), "policy", "--run-dir", node.run_dir(),
                          "--state-dir", node.state_dir(), "--bpffs", node.bpffs()});
  }

  [[nodiscard]] bool has_asked_for(const std::string& what) const {
    return std::ranges::any_of(server->counters().requests, [&](const std::string& request) {
      return request.starts_with(kPods) && request.find(what) != std::string::npos;
    });
  }
  [[nodiscard]] bool watches(const std::string& what) const {
    return std::ranges::any_of(server->counters().live, [&](const std::string& request) {
      return request.find(what) != std::string::npos;
    });
  }

  Wire wire{"wire"};
  Node node{"node-a", "10.200.1.0/24", "bridge"};  // loads no programs, which takes a while
  std::unique_ptr<ApiServer> server;
  std::optional<Process> daemon;
};

TEST_F(PolicyPeers, OfDefaultDenyNoPodOfAnotherNodeIsListed) {
  const Pod web("web");

  ASSERT_TRUE(ok(node.call(adding(web, 10)))) << daemon->err();

  EXPECT_THAT(table(), HasSubstr("no rule of shop/deny"));
  EXPECT_TRUE(eventually([&] { return watches(kHere); }));
  EXPECT_FALSE(has_asked_for(kElsewhere));
  for (const std::string& request : server->counters().requests)
    EXPECT_TRUE(!request.starts_with(kPods) || request.find(kHere) != std::string::npos) << request;
}

TEST_F(PolicyPeers, ARuleThatNeedsThemMatchesNobodyUntilTheyAreKnownAndANewPodWaits) {
  const Pod web("web"), late("late");
  ASSERT_TRUE(ok(node.call(adding(web, 10)))) << daemon->err();
  server->refuse(kElsewhere);

  announce_policy_for("web");

  await_table("shop/friends#ingress0");
  EXPECT_THAT(table(), Not(HasSubstr(kPeer)));
  EXPECT_TRUE(eventually([&] {
    const std::string said = status();
    return said.find("waiting for the pods of other nodes") != std::string::npos &&
           said.find("NOT in force") != std::string::npos;
  })) << status();
  EXPECT_TRUE(ok(node.call(adding(late, 10)))) << "its policy needs no peers";
  ASSERT_TRUE(ok(node.call(node.call_for("DEL", late))));
  announce_policy_for("late");
  ASSERT_TRUE(eventually([&] { return table().find("shop/friends") == std::string::npos; }));
  EXPECT_TRUE(failed(node.call(adding(late, 1)), 11, "not in force"));

  server->allow_all();

  EXPECT_TRUE(ok(node.call(adding(late, 20)))) << daemon->err();
  EXPECT_THAT(table(), HasSubstr(kPeer));
  EXPECT_TRUE(eventually([&] { return status().find("NOT in force") == std::string::npos; }));
}

TEST_F(PolicyPeers, WhenTheNeedEndsTheWatchEndsAWhileLater) {
  const Pod web("web");
  announce_policy_for("web");
  ASSERT_TRUE(ok(node.call(adding(web, 20)))) << daemon->err();
  ASSERT_TRUE(eventually([&] { return watches(kElsewhere); }));
  EXPECT_THAT(table(), HasSubstr(kPeer));

  server->delete_object(kPolicies, "friends");

  EXPECT_TRUE(eventually([&] { return table().find(kPeer) == std::string::npos; }));
  EXPECT_TRUE(watches(kElsewhere)) << "a policy that is made anew would list all pods";
  EXPECT_TRUE(eventually([&] { return !watches(kElsewhere); }, std::chrono::seconds(60)));
  EXPECT_TRUE(watches(kHere));
}

}  // namespace
}  // namespace kubecni::test
