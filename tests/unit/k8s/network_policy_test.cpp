#include "k8s/network_policy.hpp"

#include "base/json.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>

namespace kubecni {
namespace {

NetworkPolicy policy(const std::string& spec) {
  return parse_network_policy(
      parse_json(R"({"metadata":{"namespace":"shop","name":"web"},"spec":)" + spec + "}").value());
}

IpNet net(const char* text) { return IpNet::parse(text).value(); }

TEST(NetworkPolicy, HasItsRules) {
  const auto web = policy(R"({"podSelector":{"matchLabels":{"a":"b"}},
      "policyTypes":["Ingress"],
      "ingress":[{"from":[{"podSelector":{}},
                          {"ipBlock":{"cidr":"10.0.0.0/8","except":["10.2.0.0/16","10.1.0.0/16"]}}],
                  "ports":[{"port":80,"endPort":90},{"port":"dns","protocol":"UDP"},
                           {"protocol":"SCTP"}]}]})");

  EXPECT_EQ(web.problem, "");
  EXPECT_TRUE(web.isolates_ingress);
  EXPECT_FALSE(web.isolates_egress);
  EXPECT_EQ(selector_text(web.subjects), R"(a="b")");
  ASSERT_EQ(web.ingress.size(), 1u);
  EXPECT_EQ(web.ingress[0].peers,
            (std::vector<PolicyPeer>{
                {.pods = LabelSelector{}},
                {.block = IpBlock{net("10.0.0.0/8"), {net("10.1.0.0/16"), net("10.2.0.0/16")}}}}));
  EXPECT_EQ(web.ingress[0].ports,
            (std::vector<PolicyPort>{{.protocol = IPPROTO_TCP, .first = 80, .last = 90},
                                     {.protocol = IPPROTO_UDP, .name = "dns"},
                                     {.protocol = IPPROTO_SCTP}}));
}

TEST(NetworkPolicy, MissingTypesFollowFromTheRules) {
  EXPECT_TRUE(policy("{}").isolates_ingress);
  EXPECT_FALSE(policy("{}").isolates_egress);
  EXPECT_FALSE(policy(R"({"egress":[]})").isolates_egress);
  EXPECT_TRUE(policy(R"({"egress":[{}]})").isolates_egress);
  EXPECT_TRUE(policy(R"({"egress":[{}],"policyTypes":null})").isolates_ingress);
}

TEST(NetworkPolicy, OldSpellingsOfNetworksAreRead) {
  const auto old = policy(R"({"ingress":[{"from":[{"ipBlock":{"cidr":"010.020.0.7/08"}},
      {"ipBlock":{"cidr":"0.0.0.0/0"}},{"ipBlock":{"cidr":"fd00::1/64"}}]}]})");

  ASSERT_EQ(old.problem, "");
  EXPECT_EQ(old.ingress[0].peers[0].block->cidr, net("10.0.0.0/8"));
  EXPECT_EQ(old.ingress[0].peers[1].block->cidr, net("0.0.0.0/0"));
  EXPECT_EQ(old.ingress[0].peers[2].block->cidr, net("fd00::/64"));
}

TEST(NetworkPolicy, ThatIsNotUnderstoodClosesBothDirections) {
  const std::string ingress = R"({"podSelector":{"matchLabels":{"a":"b"}},"ingress":[{},)";
  for (const char* rule :
       {"7",
        R"({"ports":7})",
        R"({"ports":[7]})",
        R"({"ports":[{"protocol":"ICMP"}]})",
        R"({"ports":[{"port":0}]})",
        R"({"ports":[{"port":65536}]})",
        R"({"ports":[{"port":1.5}]})",
        R"({"ports":[{"port":""}]})",
        R"({"ports":[{"port":80,"endPort":79}]})",
        R"({"ports":[{"port":"web","endPort":80}]})",
        R"({"ports":[{"endPort":80}]})",
        R"({"ports":[{"port":80,"endPort":65536}]})",
        R"({"from":{}})",
        R"({"from":[{}]})",
        R"({"from":[7]})",
        R"({"from":[{"ipBlock":{}}]})",
        R"({"from":[{"ipBlock":{"cidr":"10.0.0.0"}}]})",
        R"({"from":[{"podSelector":{},"ipBlock":{"cidr":"10.0.0.0/8"}}]})",
        R"({"from":[{"podSelector":{"matchLabels":7}}]})",
        R"({"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["11.0.0.0/16"]}}]})",
        R"({"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["fd00::/16"]}}]})"}) {
    const auto closing = policy(ingress + rule + "]}");
    EXPECT_NE(closing.problem, "") << rule;
    EXPECT_TRUE(closing.isolates_ingress && closing.isolates_egress) << rule;
    EXPECT_TRUE(closing.ingress.empty()) << rule;
    EXPECT_EQ(selector_text(closing.subjects), R"(a="b")") << rule;
  }
  EXPECT_NE(policy("7").problem, "");
  EXPECT_NE(policy(R"({"policyTypes":["Both"]})").problem, "");
  EXPECT_NE(policy(R"({"podSelector":7})").problem, "");
}

TEST(NetworkPolicy, ItsProblemNamesItAndThePlace) {
  EXPECT_EQ(policy(R"({"egress":[{},{"ports":[{"port":0}]}]})").problem,
            "NetworkPolicy shop/web: egress[1]: port is 0");
}

}  // namespace
}  // namespace kubecni
