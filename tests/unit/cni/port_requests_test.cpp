// What a runtime may write into runtimeConfig.portMappings.

#include "requests.hpp"
#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// As it comes from a runtime: numbers have the types that the parser gives them.
CniResult<std::vector<PortMapping>> read(const json& list) {
  return read_port_mappings(json::parse(json{{"portMappings", list}}.dump()));
}

std::vector<PortMapping> mappings_in(const std::vector<json>& list) {
  const auto found = read(list);
  EXPECT_TRUE(found) << found.error().msg;
  return found.value_or(std::vector<PortMapping>{});
}

/// Message and advice.
std::string refusal_of(const json& list) {
  const auto found = read(list);
  if (found) return "none";
  EXPECT_EQ(found.error().code, CniCode::kInvalidConfig);
  return found.error().msg + "; " + found.error().details;
}

json entry(const json& changes = json::object()) {
  json entry{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}, {"hostIP", ""}};
  entry.merge_patch(changes);
  return entry;
}

PortMapping mapping(PortProtocol protocol = PortProtocol::kTcp) {
  return {.protocol = protocol, .host_port = 8080, .pod_port = 80, .host_ip = {}};
}

TEST(PortRequests, AreReadLikeGoClientsWriteThem) {
  EXPECT_THAT(mappings_in({entry()}), ElementsAre(mapping()));
  EXPECT_THAT(mappings_in({{{"HostPort", 8080}, {"ContainerPort", 80}, {"Protocol", "UDP"}}}),
              ElementsAre(mapping(PortProtocol::kUdp)));
  EXPECT_THAT(mappings_in({entry({{"protocol", "Sctp"}})}),
              ElementsAre(mapping(PortProtocol::kSctp)));
  EXPECT_THAT(mappings_in({entry({{"protocol", nullptr}})}), ElementsAre(mapping()));
  EXPECT_THAT(mappings_in({entry({{"protocol", ""}})}), ElementsAre(mapping()));
}

TEST(PortRequests, MayNameAnAddress) {
  const auto found = mappings_in({entry({{"hostIP", "192.0.2.1"}}), entry({{"hostIP", "::"}})});

  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].host_ip, addr("192.0.2.1"));
  EXPECT_EQ(found[1].host_ip, addr("::"));
}

TEST(PortRequests, WithoutAHostPortAreNone) {
  EXPECT_THAT(mappings_in({entry({{"hostPort", 0}}), {{"containerPort", 80}}}), IsEmpty());
  EXPECT_THAT(mappings_in({}), IsEmpty());
  EXPECT_THAT(read(nullptr).value(), IsEmpty());
  EXPECT_THAT(read_port_mappings(nullptr).value(), IsEmpty());
}

TEST(PortRequests, ThatSayTheSameTwiceAreOne) {
  EXPECT_THAT(mappings_in({entry(), entry()}), ElementsAre(mapping()));
}

TEST(PortRequests, ThatContradictAreRefused) {
  EXPECT_THAT(refusal_of(json::array({entry(), entry({{"containerPort", 81}})})),
              HasSubstr("portMappings[1]: the host's tcp port 8080 leads to port 80 of the pod "
                        "already; give another hostPort"));
}

TEST(PortRequests, ThatAreMalformedAreRefusedWithAdvice) {
  EXPECT_EQ(refusal_of(json::array({entry(), entry({{"hostPort", 70000}})})),
            "ADD: runtimeConfig.portMappings[1].hostPort is 70000; give a port, a number from 1 to "
            "65535");
  for (const json& port : {json(-1), json("80"), json(1.5), json(65536)})
    EXPECT_THAT(refusal_of(json::array({entry({{"hostPort", port}})})),
                HasSubstr("[0].hostPort is"));
  for (const json& port : {json(0), json(nullptr), json(65536)})
    EXPECT_THAT(refusal_of(json::array({entry({{"containerPort", port}})})),
                HasSubstr("[0].containerPort is"));
  EXPECT_THAT(refusal_of(json::array({entry({{"protocol", "icmp"}})})),
              HasSubstr(R"([0].protocol is "icmp"; give tcp, udp or sctp)"));
  EXPECT_THAT(refusal_of(json::array({entry({{"protocol", 6}})})), HasSubstr("[0].protocol is 6"));
  EXPECT_THAT(refusal_of(json::array({entry({{"hostIP", "node-a"}})})),
              HasSubstr(R"([0].hostIP is "node-a"; give an address of the node)"));
  EXPECT_THAT(refusal_of(json::array({7})), HasSubstr("[0] is 7"));
  EXPECT_THAT(refusal_of("8080:80"), HasSubstr("give a list"));
}

}  // namespace
}  // namespace kubecni::test
