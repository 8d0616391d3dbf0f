#include "policy/compiler.hpp"

#include "base/json.hpp"
#include "policy/judge.hpp"
#include "support/policy_oracle.hpp"
#include "support/random_policies.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::IsEmpty;

IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

PolicyObjects objects_in(const json& cluster) {
  PolicyObjects objects;
  for (const json& item : member(cluster, "policies"))
    objects.policies.push_back(parse_network_policy(item));
  for (const json& item : member(cluster, "pods")) objects.pods.push_back(parse_pod(item));
  for (const json& item : member(cluster, "namespaces"))
    objects.spaces.push_back(parse_namespace(item));
  return objects;
}

/// All pods, as if they were on one node.
std::vector<LocalPod> all_local(const PolicyObjects& objects) {
  std::vector<LocalPod> locals;
  for (const Pod& pod : objects.pods)
    if (pod.is_selectable()) locals.push_back({pod.key(), pod.addresses});
  return locals;
}

/// Half of the pods are on this node: whether the others come with them or apart is the same.
void expect_the_same_of_two_watches(const PolicyObjects& objects) {
  PolicyObjects split = objects;
  const auto half = objects.pods.begin() + static_cast<std::ptrdiff_t>(objects.pods.size() / 2);
  split.pods.assign(objects.pods.begin(), half);
  split.peers.assign(half, objects.pods.end());
  const auto locals = all_local(split);

  EXPECT_EQ(compile_policies(split, locals), compile_policies(objects, locals));
}

bool allows(const CompiledPolicy& policy, const PolicyFlow& flow) {
  return judge_ingress(policy, flow).is_allowed && judge_egress(policy, flow).is_allowed;
}

/// The cases of this file: pods a and b in the namespace x, c in y.
class Policies : public testing::Test {
 protected:
  static json pod(const std::string& space, const std::string& name, const std::string& address,
                  unsigned web_port = 80) {
    json pod = json::parse(R"({"kind":"Pod","metadata":{},"status":{"phase":"Running"},
        "spec":{"containers":[{"ports":[{"name":"web"},
                {"name":"dns","containerPort":53,"protocol":"UDP"}]}]}})");
    pod["metadata"] = {{"namespace", space}, {"name", name}, {"labels", {{"pod", name}}}};
    pod["spec"]["containers"][0]["ports"][0]["containerPort"] = web_port;
    pod["status"]["podIP"] = address;
    return pod;
  }
  static json space(const std::string& name, const std::string& team) {
    return {{"kind", "Namespace"}, {"metadata", {{"name", name}, {"labels", {{"team", team}}}}}};
  }

  Policies() {
    for (const json& one :
         {pod("x", "a", "10.0.0.1"), pod("x", "b", "10.0.0.2", 8080), pod("y", "c", "10.0.0.3")})
      cluster_["pods"].push_back(one);
    for (const json& one : {space("x", "red"), space("y", "blue")})
      cluster_["namespaces"].push_back(one);
  }

  void add_policy(const std::string& spec, const std::string& its_space = "x") {
    json policy{{"kind", "NetworkPolicy"}, {"metadata", {{"namespace", its_space}}}};
    policy["metadata"]["name"] = "p" + std::to_string(cluster_["policies"].size());
    policy["spec"] = json::parse(spec);
    cluster_["policies"].push_back(policy);
  }
  void add_ingress(const std::string& rules) { add_policy(R"({"ingress":)" + rules + "}"); }

  [[nodiscard]] CompiledPolicy compile() const {
    const auto objects = objects_in(cluster_);
    return compile_policies(objects, all_local(objects));
  }

  [[nodiscard]] bool is_open(const std::string& from, const std::string& to,
                             std::uint16_t port = 80, std::uint8_t protocol = IPPROTO_TCP) const {
    return allows(compile(), {ip(from), ip(to), protocol, port});
  }

  const std::string a_ = "10.0.0.1";
  const std::string b_ = "10.0.0.2";
  const std::string c_ = "10.0.0.3";
  const std::string outside_ = "192.0.2.1";
  json cluster_{
      {"policies", json::array()}, {"pods", json::array()}, {"namespaces", json::array()}};
};

TEST_F(Policies, WithoutOneNobodyIsIsolated) {
  const auto policy = compile();

  EXPECT_THAT(policy.chains, IsEmpty());
  EXPECT_FALSE(policy.subjects.at(ip(a_)).is_isolated());
}

TEST_F(Policies, MissingTypesMeanIngress) {
  add_policy("{}");

  EXPECT_FALSE(is_open(c_, a_));
  EXPECT_TRUE(is_open(a_, c_));
}

TEST_F(Policies, MissingTypesMeanEgressTooIfThereIsARule) {
  add_policy(R"({"egress":[{"ports":[{"port":81}]}]})");

  EXPECT_FALSE(is_open(c_, a_));
  EXPECT_FALSE(is_open(a_, c_));
  EXPECT_TRUE(is_open(a_, c_, 81));
}

TEST_F(Policies, AnEmptyListOfRulesAllowsNothingAndAnEmptyRuleAll) {
  add_ingress("[]");

  EXPECT_FALSE(is_open(c_, a_));

  add_ingress("[{}]");

  EXPECT_TRUE(is_open(outside_, a_));
  EXPECT_TRUE(is_open(outside_, a_, 0, IPPROTO_ICMP));
}

TEST_F(Policies, AnyNamespaceIsNotAnySource) {
  add_ingress(R"([{"from":[{"namespaceSelector":{}}]}])");

  EXPECT_TRUE(is_open(c_, a_));
  EXPECT_FALSE(is_open(outside_, a_));
}

TEST_F(Policies, SelectorsOfOneItemBothHold) {
  add_ingress(R"([{"from":[{"namespaceSelector":{"matchLabels":{"team":"red"}},
                            "podSelector":{"matchLabels":{"pod":"c"}}}]}])");

  EXPECT_FALSE(is_open(c_, a_));
  EXPECT_FALSE(is_open(b_, a_));
}

TEST_F(Policies, ItemsAreAlternatives) {
  add_ingress(R"([{"from":[{"namespaceSelector":{"matchLabels":{"team":"blue"}}},
                           {"podSelector":{"matchLabels":{"pod":"b"}}}]}])");

  EXPECT_TRUE(is_open(c_, a_));
  EXPECT_TRUE(is_open(b_, a_));
}

TEST_F(Policies, ANamedPortIsTheDestinationsOwn) {
  add_ingress(R"([{"ports":[{"port":"web"}]}])");
  add_policy(R"({"policyTypes":["Egress"],"egress":[{"ports":[{"port":"web"}]}]})", "y");

  EXPECT_TRUE(is_open(c_, a_, 80));
  EXPECT_FALSE(is_open(c_, a_, 8080));
  EXPECT_TRUE(is_open(c_, b_, 8080));
  EXPECT_FALSE(is_open(c_, b_, 80));
  EXPECT_FALSE(is_open(c_, outside_, 80)) << "a name is of a pod";
}

TEST_F(Policies, ANameOfAnotherProtocolIsNoPort) {
  add_ingress(R"([{"ports":[{"port":"dns"}]}])");

  EXPECT_FALSE(is_open(c_, a_, 53));
  EXPECT_FALSE(is_open(c_, a_, 53, IPPROTO_UDP));
}

TEST_F(Policies, EndPortIsInclusive) {
  add_ingress(R"([{"ports":[{"port":80,"endPort":82}]}])");

  EXPECT_FALSE(is_open(c_, a_, 79));
  EXPECT_TRUE(is_open(c_, a_, 82));
  EXPECT_FALSE(is_open(c_, a_, 83));
}

TEST_F(Policies, APortWithoutANumberIsAllPortsOfItsProtocol) {
  add_ingress(R"([{"ports":[{"protocol":"SCTP"}]}])");

  EXPECT_TRUE(is_open(c_, a_, 9, IPPROTO_SCTP));
  EXPECT_FALSE(is_open(c_, a_, 9)) << "a rule of SCTP opens no TCP";
  EXPECT_FALSE(is_open(c_, a_, 0, IPPROTO_ICMP));
}

TEST_F(Policies, BlocksMatchPodsToo) {
  add_ingress(R"([{"from":[{"ipBlock":{"cidr":"10.0.0.7/24","except":["10.0.0.2/31"]}}]}])");

  EXPECT_TRUE(is_open("10.0.0.9", a_));
  EXPECT_FALSE(is_open(b_, a_));
  EXPECT_FALSE(is_open(c_, a_));
  EXPECT_FALSE(is_open("10.0.1.1", a_));
}

TEST_F(Policies, WhatOneExceptTakesAwayAnotherRuleMayAllow) {
  add_ingress(R"([{"from":[{"ipBlock":{"cidr":"10.0.0.0/24","except":["10.0.0.2/32"]}}]},
                  {"from":[{"ipBlock":{"cidr":"10.0.0.2/32"}}]}])");

  EXPECT_TRUE(is_open(b_, a_));
}

TEST_F(Policies, EndedPodsAreNobody) {
  cluster_["pods"][2]["status"]["phase"] = "Succeeded";
  add_ingress(R"([{"from":[{"namespaceSelector":{}}]}])");

  EXPECT_FALSE(is_open(c_, a_));
}

TEST_F(Policies, PodsOnTheHostsNetworkAreNobody) {
  cluster_["pods"][2]["spec"]["hostNetwork"] = true;
  add_ingress(R"([{"from":[{"namespaceSelector":{}}]}])");

  EXPECT_FALSE(is_open(c_, a_));
}

TEST_F(Policies, WhatCannotBeUnderstoodClosesItsPodsAndIsNamed) {
  add_policy(R"({"podSelector":{"matchLabels":{"pod":"a"}},
                 "ingress":[{"ports":[{"protocol":"ICMP"}]},{}]})");
  const auto policy = compile();

  EXPECT_FALSE(is_open(c_, a_));
  EXPECT_FALSE(is_open(a_, c_));
  EXPECT_TRUE(is_open(c_, b_));
  ASSERT_EQ(policy.problems.size(), 1u);
  EXPECT_EQ(policy.problems.front().policy, "x/p0");
  EXPECT_EQ(policy.problems.front().reason, "NetworkPolicy x/p0: ingress[0]: protocol is \"ICMP\"");
}

TEST_F(Policies, TheNodeKnowsBetterWhoHasAnAddress) {
  add_ingress(R"([{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}])");

  // b's former address is c's now, and its new one is not in its object yet.
  const auto policy = compile_policies(
      objects_in(cluster_), {{"x/a", {ip(a_)}}, {"x/b", {ip("10.0.0.9")}}, {"y/c", {ip(b_)}}});

  EXPECT_TRUE(allows(policy, {ip("10.0.0.9"), ip(a_), IPPROTO_TCP, 80}));
  EXPECT_FALSE(allows(policy, {ip(b_), ip(a_), IPPROTO_TCP, 80}));
}

TEST_F(Policies, ALocalPodWithoutAnObjectIsNotKnownAndAContainerIsOpen) {
  add_ingress("[]");
  const auto policy =
      compile_policies(objects_in(cluster_), {{"x/new", {ip("10.0.0.8")}}, {"", {ip("10.0.0.9")}}});

  EXPECT_FALSE(policy.subjects.contains(ip("10.0.0.8")));
  EXPECT_TRUE(policy.subjects.contains(ip("10.0.0.9")));
}

TEST_F(Policies, AnObjectWithAnotherUidIsNotThePods) {
  add_ingress(R"([{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}])");
  for (const std::size_t i : {0, 1}) cluster_["pods"][i]["metadata"]["uid"] = "former";
  const auto compiled = [&](const std::string& uid) {
    return compile_policies(objects_in(cluster_), {{"x/a", {ip(a_)}, uid}, {"x/b", {ip(b_)}, uid}});
  };

  EXPECT_TRUE(compiled("former").subjects.contains(ip(a_)));
  EXPECT_TRUE(compiled("").subjects.contains(ip(a_))) << "the runtime may give none";
  EXPECT_FALSE(compiled("new").subjects.contains(ip(a_)));
  const PolicyFlow flow{ip(b_), ip(a_), IPPROTO_TCP, 80};
  EXPECT_TRUE(allows(compiled("former"), flow));
  EXPECT_FALSE(allows(compile_policies(objects_in(cluster_),
                                       {{"x/a", {ip(a_)}, "former"}, {"x/b", {ip(b_)}, "new"}}),
                      flow))
      << "nor are the labels";
}

TEST_F(Policies, NoneInItsNamespaceMakesAPodOpenWithoutItsObject) {
  add_ingress("[]");
  const auto policy = compile_policies(objects_in(cluster_), {{"y/new", {ip("10.0.0.8")}}});

  ASSERT_TRUE(policy.subjects.contains(ip("10.0.0.8")));
  EXPECT_FALSE(policy.subjects.at(ip("10.0.0.8")).is_isolated());
}

TEST_F(Policies, PodsWithTheSamePoliciesShareChains) {
  cluster_["pods"][1]["spec"] = cluster_["pods"][0]["spec"];
  add_ingress(R"([{"ports":[{"port":"web"}]}])");
  const auto policy = compile();

  EXPECT_EQ(policy.chains.size(), 1u);
  EXPECT_EQ(policy.subjects.at(ip(a_)), policy.subjects.at(ip(b_)));
}

TEST_F(Policies, NamesDependOnTheContentAlone) {
  add_ingress(R"([{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}])");
  const auto before = compile();
  cluster_["pods"].push_back(pod("x", "d", "10.0.0.4"));
  const auto after = compile();

  EXPECT_EQ(after.chains, before.chains);
  EXPECT_EQ(after.sets, before.sets);
}

/// Pod a is of this node; c of another one is called and labelled as cluster_ says.
class PeersOfOtherNodes : public Policies {
 protected:
  PeersOfOtherNodes() { add_ingress(R"([{"from":[{"namespaceSelector":{}}]}])"); }

  [[nodiscard]] PolicyObjects split_objects() const {
    auto objects = objects_in(cluster_);
    objects.peers = {objects.pods[2]};
    objects.pods = {objects.pods[0]};
    return objects;
  }
  [[nodiscard]] static bool is_peer(const CompiledPolicy& policy, const std::string& address) {
    return judge_ingress(policy, {ip(address), ip("10.0.0.1"), IPPROTO_TCP, 80}).is_allowed;
  }

  const std::vector<LocalPod> locals_{{"x/a", {ip(a_)}}};
};

TEST_F(PeersOfOtherNodes, AreSelected) {
  const auto policy = compile_policies(split_objects(), locals_);

  EXPECT_TRUE(is_peer(policy, c_));
  EXPECT_FALSE(policy.subjects.at(ip(a_)).awaits_peers);
}

TEST_F(PeersOfOtherNodes, AreNobodyWhileTheyAreAwaited) {
  auto objects = split_objects();
  objects.peers.clear();
  objects.awaits_peers = true;
  const auto policy = compile_policies(objects, {{"x/a", {ip(a_)}}, {"y/c", {ip(b_)}}});

  EXPECT_FALSE(is_peer(policy, c_));
  EXPECT_TRUE(policy.subjects.at(ip(a_)).awaits_peers);
  EXPECT_FALSE(policy.subjects.at(ip(b_)).awaits_peers) << "no policy selects it";
}

TEST_F(PeersOfOtherNodes, AnObjectOfThemMakesNobodyASubject) {
  cluster_["pods"][2] = pod("x", "web-0", c_);
  const auto policy = compile_policies(split_objects(), {{"x/a", {ip(a_)}}, {"x/web-0", {ip(b_)}}});

  EXPECT_FALSE(policy.subjects.contains(ip(b_))) << "it was made anew on this node";
}

TEST_F(PeersOfOtherNodes, TheObjectOfThisNodeCountsOfTwoWithOneName) {
  cluster_["pods"][2] = pod("x", "a", c_);

  EXPECT_FALSE(is_peer(compile_policies(split_objects(), locals_), c_));
}

TEST_F(PeersOfOtherNodes, AnAddressOfAPodHereIsNotTheirs) {
  add_ingress(R"([{"from":[{"podSelector":{"matchLabels":{"pod":"nobody"}}}]}])");
  cluster_["policies"].erase(0);
  cluster_["pods"][2] = pod("x", "nobody", b_);

  EXPECT_TRUE(is_peer(compile_policies(split_objects(), locals_), b_));
  EXPECT_FALSE(
      is_peer(compile_policies(split_objects(), {{"x/a", {ip(a_)}}, {"x/new", {ip(b_)}}}), b_));
}

// The one may have left it to the other: the two come by different watches.
TEST_F(PeersOfOtherNodes, AnAddressThatPodsOfTwoNodesClaimIsNobodys) {
  auto objects = split_objects();
  objects.pods.push_back(parse_pod(pod("x", "gone", c_)));

  EXPECT_FALSE(is_peer(compile_policies(objects, locals_), c_));
  EXPECT_TRUE(is_peer(compile_policies(objects, {{"x/a", {ip(a_)}}, {"x/gone", {ip(c_)}}}), c_))
      << "this node gave it away";
}

/// The compiler's answer for every pair of ends, or the oracle's, whichever is asked first, has to
/// be the other's, too.
TEST(RandomPolicies, AreWhatTheOracleSays) {
  constexpr std::size_t kPods = 9;
  std::size_t denied = 0, asked = 0;
  for (unsigned seed = 1; seed <= 250; ++seed) {
    RandomPolicies random(seed);
    const json cluster = random.cluster(kPods, 1 + seed % 5);
    const PolicyOracle oracle(cluster);
    const auto objects = objects_in(cluster);
    for (const NetworkPolicy& policy : objects.policies)
      ASSERT_EQ(policy.problem, "") << "seed " << seed;
    const auto policy = compile_policies(objects, all_local(objects));
    expect_the_same_of_two_watches(objects);
    for (int i = 0; i < 60; ++i) {
      const std::size_t family = random.below(2);
      const auto end = [&] {
        if (random.below(8) == 0) return std::string(family == 0 ? "192.0.2.1" : "2001:db8::1");
        return RandomPolicies::usual_addresses(random.below(kPods))[family];
      };
      const std::string from = end(), to = end();
      const auto [protocol, number] = random.one_of(std::vector<std::pair<std::string, int>>{
          {"TCP", 6}, {"TCP", 6}, {"UDP", 17}, {"SCTP", 132}, {"ICMP", 1}});
      const int port = number == 1 ? 0 : 79 + static_cast<int>(random.below(5));
      const PolicyFlow flow{ip(from), ip(to), static_cast<std::uint8_t>(number),
                            static_cast<std::uint16_t>(port)};
      const bool expected = oracle.allows_ingress(from, to, protocol, port) &&
                            oracle.allows_egress(from, to, protocol, port);
      ASSERT_EQ(allows(policy, flow), expected) << "seed " << seed << ": " << from << " -> " << to
                                                << " " << protocol << " " << port << "\n"
                                                << cluster.dump(1);
      ++asked;
      denied += expected ? 0 : 1;
    }
  }
  EXPECT_GT(denied, asked / 5) << "most questions have an easy answer";
  EXPECT_LT(denied, asked * 4 / 5) << "most questions have an easy answer";
}

}  // namespace
}  // namespace kubecni::test
