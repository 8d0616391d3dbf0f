#include "k8s/node_parser.hpp"

#include "test_api_server/api_server.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kubecni {
namespace {

using nlohmann::json;
using test::make_node;
using test::make_node_list;

json valid() { return make_node("n1", "192.0.2.1", "10.1.0.0/24"); }

/// Why parse_node() refuses `node`; empty if it does not.
std::string refusal(const json& node) {
  auto parsed = parse_node(node);
  return parsed ? "" : parsed.error().what;
}

TEST(NodeParser, ReadsNameInternalIpAndPodCidr) {
  const auto node = parse_node(valid());

  ASSERT_TRUE(node) << node.error().what;
  EXPECT_EQ(node->name, "n1");
  EXPECT_EQ(node->internal_ips, std::vector{*IpAddr::parse("192.0.2.1")});
  EXPECT_EQ(node->pod_cidrs, std::vector{*IpNet::parse("10.1.0.0/24")});
}

TEST(NodeParser, ReadsBothFamiliesInTheirOrder) {
  json object = valid();
  object["spec"]["podCIDRs"] = {"10.1.0.0/24", "2001:db8:1::/64"};
  object["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", "2001:db8::1"}});

  const auto node = parse_node(object);

  ASSERT_TRUE(node) << node.error().what;
  EXPECT_EQ(node->pod_cidrs.at(1).str(), "2001:db8:1::/64");
  EXPECT_EQ(node->internal_ips.at(1).str(), "2001:db8::1");
}

TEST(NodeParser, TakesPodCidrWhenPodCidrsIsAbsent) {
  json object = valid();
  object["spec"] = {{"podCIDR", "10.9.0.0/24"}};

  const auto node = parse_node(object);

  ASSERT_TRUE(node) << node.error().what;
  EXPECT_EQ(node->pod_cidrs, std::vector{*IpNet::parse("10.9.0.0/24")});
}

TEST(NodeParser, AMalformedCidrIsRefusedWithNodeFieldAndValue) {
  json object = valid();
  object["spec"]["podCIDRs"] = {"10.1.0.0/24", "10.1.0.0/33"};

  const auto node = parse_node(object);

  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().code, EINVAL);
  EXPECT_EQ(node.error().what,
            "node n1: spec.podCIDRs[1] is \"10.1.0.0/33\", not a CIDR such as 10.1.0.0/24");
}

TEST(NodeParser, ACidrWithHostBitsIsRefused) {
  json object = valid();
  object["spec"]["podCIDRs"] = {"10.1.0.7/24"};

  EXPECT_EQ(refusal(object),
            "node n1: spec.podCIDRs[0] is \"10.1.0.7/24\", not a network: it would be 10.1.0.0/24");
}

TEST(NodeParser, ACidrOfTheWholeAddressSpaceIsRefused) {
  json object = valid();
  object["spec"]["podCIDRs"] = {"0.0.0.0/0"};

  EXPECT_NE(refusal(object), "");
}

TEST(NodeParser, ANodeWithoutPodCidrIsNotAssignedYet) {
  json object = valid();
  object["spec"] = json::object();

  EXPECT_EQ(refusal(object), "node n1: spec.podCIDR is not assigned yet");
}

TEST(NodeParser, ANodeWithoutInternalIpSaysSo) {
  json object = valid();
  object["status"]["addresses"] = {{{"type", "Hostname"}, {"address", "n1"}}};

  EXPECT_EQ(refusal(object), "node n1: status.addresses has no InternalIP yet");
}

TEST(NodeParser, ANodeWithAnExternalIpOnlySaysWhatToDo) {
  json object = valid();
  object["status"]["addresses"] = {{{"type", "Hostname"}, {"address", "n1"}},
                                   {{"type", "ExternalIP"}, {"address", "203.0.113.5"}}};

  EXPECT_EQ(refusal(object),
            "node n1: status.addresses has no InternalIP, only the ExternalIP \"203.0.113.5\"; set "
            "kubelet's --node-ip to the address by which other nodes reach it");
}

TEST(NodeParser, AnotherKindIsRefused) {
  json object = valid();
  object["kind"] = "Pod";

  EXPECT_EQ(refusal(object), "node n1: kind is \"Pod\", not \"Node\"");
}

TEST(NodeParser, WrongTypesAnywhereAreRefusedAndNeverThrow) {
  const json garbage[] = {
      nullptr, 7, -1.5, true, "x", json::array({1, nullptr}), {{"a", {{"b", json::array()}}}}};
  const char* places[] = {"/metadata",
                          "/metadata/name",
                          "/spec",
                          "/spec/podCIDRs",
                          "/spec/podCIDRs/0",
                          "/status",
                          "/status/addresses",
                          "/status/addresses/0",
                          "/status/addresses/0/type",
                          "/status/addresses/0/address"};
  for (const char* place : places) {
    for (const json& value : garbage) {
      json object = valid();
      object["spec"].erase("podCIDR");
      object[json::json_pointer(place)] = value;

      // "x" is a valid name; everything else makes the node unusable.
      const bool is_fine = std::string(place) == "/metadata/name" && value.is_string();
      EXPECT_EQ(refusal(object).empty(), is_fine) << place << " = " << value;
    }
  }
  for (const json& value : garbage) EXPECT_NE(refusal(value), "") << value;
}

TEST(NodeList, IsSortedByName) {
  const json list = make_node_list({make_node("n2", "192.0.2.2", "10.2.0.0/24"), valid()});

  const auto snapshot = parse_node_list(list.dump());

  ASSERT_TRUE(snapshot) << snapshot.error().what;
  ASSERT_EQ(snapshot->nodes.size(), 2u);
  EXPECT_EQ(snapshot->nodes[0].name, "n1");
  EXPECT_EQ(snapshot->nodes[1].name, "n2");
}

TEST(NodeList, TakesWhatKubectlPrints) {
  const json list = {{"apiVersion", "v1"},
                     {"kind", "List"},
                     {"metadata", {{"resourceVersion", ""}}},
                     {"items", {valid()}}};

  const auto snapshot = parse_node_list(list.dump(4));

  ASSERT_TRUE(snapshot) << snapshot.error().what;
  EXPECT_EQ(snapshot->nodes.size(), 1u);
}

TEST(NodeList, ABrokenNodeIsSkippedByNameAndTheRestIsKept) {
  json broken = make_node("n0", "not-an-address", "10.0.0.0/24");
  const json list = make_node_list({broken, valid(), json(42)});

  const auto snapshot = parse_node_list(list.dump());

  ASSERT_TRUE(snapshot) << snapshot.error().what;
  ASSERT_EQ(snapshot->nodes.size(), 1u);
  EXPECT_EQ(snapshot->nodes[0].name, "n1");
  ASSERT_EQ(snapshot->skipped.size(), 2u);
  EXPECT_EQ(snapshot->skipped[0].name, "");
  EXPECT_EQ(snapshot->skipped[0].reason,
            "node without a name: metadata.name is null, not a node name");
  EXPECT_EQ(snapshot->skipped[1].name, "n0");
  EXPECT_EQ(snapshot->skipped[1].reason,
            "node n0: status.addresses[0].address is \"not-an-address\", not an IP address");
}

TEST(NodeList, TheSecondNodeOfANameIsSkipped) {
  const json list = make_node_list({valid(), make_node("n1", "192.0.2.9", "10.9.0.0/24")});

  const auto snapshot = parse_node_list(list.dump());

  ASSERT_TRUE(snapshot) << snapshot.error().what;
  ASSERT_EQ(snapshot->nodes.size(), 1u);
  EXPECT_EQ(snapshot->nodes[0].internal_ips.at(0).str(), "192.0.2.1");
  ASSERT_EQ(snapshot->skipped.size(), 1u);
  EXPECT_EQ(snapshot->skipped[0].reason, "node n1: an earlier item has this name");
}

TEST(NodeList, AnEmptyListHasNoNodes) {
  const auto snapshot = parse_node_list(make_node_list({}).dump());

  ASSERT_TRUE(snapshot) << snapshot.error().what;
  EXPECT_EQ(*snapshot, NodeSnapshot());
}

TEST(NodeList, NonListIsRefused) {
  const std::string deep(100'000, '[');
  for (const std::string& text :
       {std::string(), std::string("{\"kind\":"), std::string("null"), std::string("[]"),
        std::string("\"\xff\""), std::string("{\"kind\":\"List\"}"), valid().dump(),
        std::string(R"({"kind":"NodeList","items":{"a":1}})"),
        std::string(R"({"kind":["List"],"items":[]})"), deep, deep + std::string(100'000, ']')}) {
    const auto snapshot = parse_node_list(text);

    ASSERT_FALSE(snapshot) << text.substr(0, 80);
    EXPECT_EQ(snapshot.error().code, EINVAL) << text.substr(0, 80);
  }
}

}  // namespace
}  // namespace kubecni
