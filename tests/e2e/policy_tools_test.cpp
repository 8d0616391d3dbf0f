// kube-cnictl policy: what it says of pods, policies and denied packets, and whether its answers
// are those of the oracle.

#include "base/json.hpp"
#include "policy_nodes.hpp"
#include "scrape.hpp"
#include "support/program.hpp"

#include <csignal>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PolicyTools : public PolicyTest {
 protected:
  PolicyTools() : PolicyTest({"ebpf", "direct"}) {
    for (std::size_t i = 0; i < 4; ++i) add_pod(i);
  }

  static Outcome cnictl(const Node& node, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program("kube-cnictl"));
    arguments.insert(arguments.end(), {"--run-dir", node.run_dir(), "--state-dir", node.state_dir(),
                                       "--bpffs", node.bpffs()});
    return Process({.argv = arguments, .netns_fd = node.netns.fd()}).wait();
  }

  static json policy_of(const Node& node) {
    const Outcome shown = cnictl(node, {"policy", "-o", "json"});
    if (shown.status != 0) throw std::runtime_error(shown.err);
    return json::parse(shown.out);
  }

  static json pod_of(const Node& node, const std::string& name) {
    const json shown = policy_of(node);
    for (const json& pod : shown["daemon"]["pods"])
      if (pod["pod"] == name) return pod;
    return {};
  }

  struct Answer {
    int status;
    json what;
  };
  static Answer ask(const Node& node, const std::string& from, const std::string& to,
                    const std::string& port = "80") {
    const Outcome answer = cnictl(node, {"policy", "test", from, to, port, "-o", "json"});
    if (answer.out.empty()) return {answer.status, answer.err};
    return {answer.status, json::parse(answer.out)};
  }

  /// Writes the objects and waits until both nodes say that these are in force.
  void put_in_force(const json& objects) {
    std::vector<unsigned> before;
    for (const Node* node : {&cluster.a, &cluster.b})
      before.push_back(policy_of(*node)["daemon"].value("revision", 0U));
    write(objects);
    ASSERT_TRUE(eventually([&] {
      return is_newer(cluster.a, before[0]) && is_newer(cluster.b, before[1]);
    })) << policy_of(cluster.a).dump(1)
        << policy_of(cluster.b).dump(1);
  }
  static bool is_newer(const Node& node, unsigned revision) {
    const json daemon = policy_of(node)["daemon"];
    return daemon.value("revision", 0U) > revision &&
           daemon.value("forcedRevision", 0U) == daemon.value("revision", 0U);
  }

  static std::string name_of_pod(std::size_t i) {
    return std::string(1, "xyz"[i % 3]) + "/pod" + std::to_string(i);
  }

  static std::uint64_t denied_by(const Node& node, const std::string& policy) {
    std::uint64_t denied = 0;
    const json shown = policy_of(node);
    for (const json& chain : shown["chains"])
      if (chain["policies"] == json::array({policy})) denied += chain["denied"].get<unsigned>();
    return denied;
  }
};

TEST_F(PolicyTools, ListPodsWithTheirPoliciesAndTheTimeThatAChangeTook) {
  json objects = closing("x");
  objects["policies"].push_back(
      {{"kind", "NetworkPolicy"},
       {"metadata", {{"name", "odd"}, {"namespace", "z"}}},
       {"spec", {{"podSelector", {{"matchExpressions", {{{"key", "a"}, {"operator", "Odd"}}}}}}}}});

  put_in_force(objects);

  const json daemon = policy_of(cluster.a)["daemon"];
  EXPECT_EQ(daemon["mode"], "enforced");
  EXPECT_EQ(daemon["policies"], 2);
  EXPECT_GT(daemon["secondsToForce"], 0);
  EXPECT_LT(daemon["secondsToForce"], 5);
  ASSERT_EQ(daemon["broken"].size(), 1u);
  EXPECT_EQ(daemon["broken"][0]["policy"], "z/odd");
  EXPECT_THAT(daemon["broken"][0]["reason"].get<std::string>(), HasSubstr("Odd"));
  EXPECT_EQ(pod_of(cluster.a, "x/pod0")["ingress"]["policies"], json::array({"x/closed"}));
  EXPECT_EQ(pod_of(cluster.a, "x/pod0")["egress"]["policies"], json::array());
  EXPECT_EQ(pod_of(cluster.a, "z/pod2")["egress"]["policies"], json::array({"z/odd"}));
  EXPECT_TRUE(pod_of(cluster.a, "y/pod1").is_null()) << "it is on the other node";

  const std::string text = cnictl(cluster.a, {"policy"}).out;
  EXPECT_THAT(text, HasSubstr("ERROR z/odd closes its pods"));
  EXPECT_THAT(text, HasSubstr("isolated"));
  EXPECT_THAT(text, testing::Not(HasSubstr("not running")));
}

TEST_F(PolicyTools, CountWhatEachPolicyHasDenied) {
  put_in_force(closing("x"));
  ASSERT_EQ(denied_by(cluster.a, "x/closed"), 0u);

  const Outcome ping =
      Process({.argv = {"ping", "-c", "3", "-i", "0.1", "-W", "1", pods_[0]->address.str()},
               .netns_fd = pods_[2]->netns.fd()})
          .wait();

  EXPECT_NE(ping.status, 0);
  EXPECT_EQ(denied_by(cluster.a, "x/closed"), 3u);
  EXPECT_EQ(denied_by(cluster.b, "x/closed"), 0u);
  EXPECT_EQ(scrape(cluster.a)
                ["kube_cni_policy_denied_packets_total{direction=\"ingress\",reason=\"x/closed\"}"],
            3);
}

TEST_F(PolicyTools, MetricsCountPoliciesAndPods) {
  json objects = closing("x");
  objects["pods"].erase(2);  // z/pod2
  objects["policies"].push_back({{"kind", "NetworkPolicy"},
                                 {"metadata", {{"name", "odd"}, {"namespace", "z"}}},
                                 {"spec", {{"podSelector", 1}}}});
  put_in_force(objects);

  const Scrape now = scrape(cluster.a);

  EXPECT_EQ(now["kube_cni_policies"], 2);
  EXPECT_EQ(now["kube_cni_policies_broken"], 1);
  EXPECT_EQ(now["kube_cni_policy_pods{state=\"isolated\"}"], 1);
  EXPECT_EQ(now["kube_cni_policy_pods{state=\"closed\"}"], 1);
  EXPECT_GT(now["kube_cni_policy_force_seconds"], 0);
}

TEST_F(PolicyTools, SayThatAPodWithoutAnObjectIsClosed) {
  json objects = closing("x");
  objects["pods"].erase(0);  // x/pod0, on the first node
  put_in_force(objects);

  EXPECT_TRUE(eventually([&] { return member(pod_of(cluster.a, "x/pod0"), "known") == false; }))
      << policy_of(cluster.a).dump(1);
  const auto answer = ask(cluster.a, "x/pod0", "z/pod2");
  EXPECT_EQ(answer.status, 1) << answer.what;
  EXPECT_EQ(answer.what["flows"][0]["table"]["by"], json::array({"judge: policy not known"}));
}

TEST_F(PolicyTools, AnswerWhatTheOracleSaysFromTheObjectsAndFromTheTable) {
  for (unsigned seed = 1; seed <= 4 && !HasFailure(); ++seed) {
    const json objects = RandomPolicies(seed).cluster(pods_.size(), 2 + seed % 3, addresses());
    const PolicyOracle oracle(objects);
    put_in_force(objects);
    for (std::size_t from = 0; from < pods_.size(); ++from)
      for (std::size_t to = 0; to < pods_.size(); ++to) {
        if (from == to) continue;
        SCOPED_TRACE("seed " + std::to_string(seed) + ", " + name_of_pod(from) + " to " +
                     name_of_pod(to));
        const auto answer = ask(cluster.a, name_of_pod(from), name_of_pod(to));
        ASSERT_EQ(answer.what["flows"].size(), 2u) << answer.what.dump(1);
        bool is_allowed = true;
        for (const json& flow : answer.what["flows"]) {
          const std::string source = flow["from"];
          const std::string target = flow["to"];
          const bool may_send = oracle.allows_egress(source, target, "TCP", 80);
          const bool may_get = oracle.allows_ingress(source, target, "TCP", 80);
          is_allowed = is_allowed && may_send && may_get;
          EXPECT_EQ(flow["egress"]["verdict"] == "allowed", may_send) << flow.dump(1);
          EXPECT_EQ(flow["ingress"]["verdict"] == "allowed", may_get) << flow.dump(1);
          // The table of the first node judges the ends there.
          const bool from_here = from % 2 == 0;
          const bool to_here = to % 2 == 0;
          const std::string table = !from_here && !to_here ? "not asked"
                                    : (may_send || !from_here) && (may_get || !to_here) ? "allowed"
                                                                                        : "denied";
          EXPECT_EQ(flow["table"]["verdict"], table) << flow.dump(1);
        }
        const bool is_any_here = from % 2 == 0 || to % 2 == 0;
        EXPECT_EQ(answer.status, !is_any_here ? 2 : is_allowed ? 0 : 1) << answer.what.dump(1);
      }
  }
}

TEST_F(PolicyTools, NameTheRuleThePortAndTheOtherNode) {
  json objects = closing("x", {{{"ports", {{{"port", "web"}}}}}});
  for (json& pod : objects["pods"])
    pod["spec"] = {{"containers", {{{"ports", {{{"name", "web"}, {"containerPort", 8080}}}}}}}};
  put_in_force(objects);

  const auto allowed = ask(cluster.a, "y/pod1", "x/pod0", "web");
  EXPECT_EQ(allowed.status, 0) << allowed.what;
  EXPECT_EQ(allowed.what["port"], 8080);
  EXPECT_EQ(allowed.what["flows"][0]["ingress"]["by"], "x/closed#ingress0");
  EXPECT_THAT(allowed.what["flows"][0]["table"]["by"].dump(), HasSubstr("x/closed#ingress0"));
  EXPECT_THAT(allowed.what["notes"].dump(), HasSubstr("on another node"));

  const Outcome denied = cnictl(cluster.a, {"policy", "test", "z/pod2", "x/pod0", "8080/udp"});
  EXPECT_EQ(denied.status, 1);
  EXPECT_THAT(denied.out, HasSubstr("no rule of x/closed"));

  EXPECT_EQ(ask(cluster.a, "z/pod2", "x/pod0", "nothing").status, 2);
  EXPECT_EQ(ask(cluster.a, "z/pod99", "x/pod0").status, 2);
}

TEST_F(PolicyTools, ReadTheObjectsFromAnApiServerToo) {
  const json objects = closing("x");
  put_in_force(objects);
  std::unique_ptr<ApiServer> server;
  cluster.a.netns.enter([&] { server = must(ApiServer::start()); });
  const std::string policies = "/apis/networking.k8s.io/v1/networkpolicies";
  server->add_kind(policies, "NetworkPolicyList", "networkpolicies.networking.k8s.io");
  server->add_kind("/api/v1/pods", "PodList", "pods");
  server->add_kind("/api/v1/namespaces", "NamespaceList", "namespaces");
  for (const json& pod : objects["pods"]) server->set_object("/api/v1/pods", pod);
  for (const json& space : objects["namespaces"]) server->set_object("/api/v1/namespaces", space);
  const auto config = cluster.a.folder() / "kubeconfig";
  must(write_file_atomically(
      config, json{{"clusters", {{{"name", "c"}, {"cluster", {{"server", server->url()}}}}}},
                   {"users", {{{"name", "u"}, {"user", {{"token", "t"}}}}}},
                   {"contexts", {{{"name", "x"}, {"context", {{"cluster", "c"}, {"user", "u"}}}}}},
                   {"current-context", "x"}}
                  .dump()));
  const std::vector<std::string> question{"policy", "test",         "z/pod2", "x/pod0",
                                          "80/udp", "--kubeconfig", config};

  const Outcome other = cnictl(cluster.a, question);
  EXPECT_EQ(other.status, 2) << other.out << other.err;
  EXPECT_THAT(other.out, HasSubstr("differ")) << "this server has no policy";

  server->set_object(policies, objects["policies"][0]);
  const Outcome same = cnictl(cluster.a, question);
  EXPECT_EQ(same.status, 1) << same.out << same.err;
  EXPECT_THAT(same.out, HasSubstr("no rule of x/closed"));
}

TEST_F(PolicyTools, SayThatTheTableIsNotAsTheObjectsWantIt) {
  put_in_force(closing("x"));
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  cluster.a.must_run({"nft", "delete", "table", "inet", "kube-cni-policy"});

  const auto answer = ask(cluster.a, "z/pod2", "x/pod0");

  EXPECT_EQ(answer.status, 2);
  EXPECT_EQ(answer.what["verdict"], "unknown");
  EXPECT_EQ(answer.what["flows"][0]["ingress"]["verdict"], "denied");
  EXPECT_EQ(answer.what["flows"][0]["table"]["verdict"], "allowed");
  EXPECT_THAT(answer.what["notes"].dump(), HasSubstr("differ"));
  const std::string shown = cnictl(cluster.a, {"policy"}).out;
  EXPECT_THAT(shown, HasSubstr("there is no table"));
  EXPECT_THAT(shown, HasSubstr("kube-cnid is not running"));
}

}  // namespace
}  // namespace kubecni::test
