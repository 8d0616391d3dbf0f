#include "k8s/peer_need.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

using nlohmann::json;

NetworkPolicy policy_with(const std::string& spec, const std::string& space = "shop") {
  return parse_network_policy(
      {{"metadata", {{"name", "p"}, {"namespace", space}}}, {"spec", json::parse(spec)}});
}

Pod labelled_pod(const json& labels, const json& spec = json::object()) {
  return parse_pod(
      {{"metadata", {{"name", "web"}, {"namespace", "shop"}, {"labels", labels}}}, {"spec", spec}});
}

bool is_needed(const NetworkPolicy& policy, const Pod& pod) {
  return needs_peers(std::vector<Shared<NetworkPolicy>>{policy}, std::vector<Shared<Pod>>{pod});
}

constexpr const char* kFromPods = R"({"ingress":[{"from":[{"podSelector":{}}]}]})";

TEST(PeerNeed, DefaultDenyAndBlocksNeedNone) {
  for (const char* spec :
       {"{}", R"({"policyTypes":["Ingress","Egress"]})", R"({"ingress":[{}],"egress":[{}]})",
        R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8"}}],"ports":[{"port":80}]}]})",
        R"({"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8"}}],"ports":[{"port":80}]}]})"})
    EXPECT_FALSE(needs_peers(policy_with(spec))) << spec;
}

TEST(PeerNeed, SelectorsNeedThemInEitherDirection) {
  for (const char* spec :
       {kFromPods, R"({"ingress":[{"from":[{"namespaceSelector":{}}]}]})",
        R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8"}},{"podSelector":{}}]}]})",
        R"({"egress":[{"to":[{"podSelector":{}}]}]})",
        R"({"egress":[{"to":[{"namespaceSelector":{},"podSelector":{}}]}]})"})
    EXPECT_TRUE(needs_peers(policy_with(spec))) << spec;
}

TEST(PeerNeed, ANamedPortIsThatOfTheDestination) {
  EXPECT_FALSE(needs_peers(policy_with(R"({"ingress":[{"ports":[{"port":"web"}]}]})")));
  EXPECT_TRUE(needs_peers(policy_with(R"({"egress":[{"ports":[{"port":"web"}]}]})")));
  EXPECT_TRUE(needs_peers(policy_with(
      R"({"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8"}}],"ports":[{"port":"web"}]}]})")));
}

TEST(PeerNeed, RulesOfADirectionThatIsNotIsolatedDoNotCount) {
  EXPECT_FALSE(needs_peers(
      policy_with(R"({"policyTypes":["Egress"],"ingress":[{"from":[{"podSelector":{}}]}]})")));
}

TEST(PeerNeed, OnlyPoliciesThatSelectAPodCount) {
  const NetworkPolicy of_web = policy_with(
      R"({"podSelector":{"matchLabels":{"app":"web"}},"ingress":[{"from":[{"podSelector":{}}]}]})");

  EXPECT_TRUE(is_needed(of_web, labelled_pod({{"app", "web"}})));
  EXPECT_FALSE(is_needed(of_web, labelled_pod({{"app", "db"}})));
  EXPECT_FALSE(is_needed(policy_with(kFromPods, "other"), labelled_pod({{"app", "web"}})));
  EXPECT_FALSE(is_needed(of_web, labelled_pod({{"app", "web"}}, {{"hostNetwork", true}})));
}

TEST(PeerNeed, APolicyThatIsNotUnderstoodNeedsNone) {
  const NetworkPolicy odd =
      policy_with(R"({"ingress":[{"from":[{"podSelector":{}}]}],"egress":1})");

  ASSERT_NE(odd.problem, "");
  EXPECT_FALSE(needs_peers(odd));
}

}  // namespace
}  // namespace kubecni
