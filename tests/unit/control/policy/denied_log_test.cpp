#include "control/policy/denied_log.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>

namespace kubecni::test {
namespace {

CompiledPolicy logging_chains() {
  CompiledPolicy policy;
  policy.chains["in_4"] = {.direction = PolicyDirection::kIngress,
                           .policies = {"shop/db", "shop/web"}};
  policy.chains["eg_1"] = {.direction = PolicyDirection::kEgress, .policies = {"shop/web"}};
  return policy;
}

Pod named_pod(const std::string& name, const std::string& address) {
  return {.space = "shop",
          .name = name,
          .uid = {},
          .labels = {},
          .addresses = {addr(address)},
          .ports = {}};
}

const PacketHead kToDb{addr("10.1.0.3"), addr("10.1.0.4"), IPPROTO_TCP,
                       PacketHead::Ports{40000, 5432}};

TEST(DeniedLog, NamesThePodsAndThePolicies) {
  const PolicyObjects objects{.pods = {named_pod("db", "10.1.0.4")},
                              .peers = {named_pod("web", "10.1.0.3")}};

  EXPECT_EQ(describe_denial({"in_44", kToDb}, logging_chains(), objects),
            (LoggedDenial{.from = "shop/web(10.1.0.3)",
                          .to = "shop/db(10.1.0.4)",
                          .protocol = "TCP",
                          .port = "5432",
                          .icmp_type = "",
                          .policies = "shop/db,shop/web",
                          .direction = "ingress"}));
}

TEST(DeniedLog, AnAnswersPortIsThatOfTheServer) {
  const auto denial = describe_denial({"eg_14r", kToDb}, logging_chains(), {}).value();

  EXPECT_TRUE(denial.is_answer);
  EXPECT_EQ(denial.port, "40000");
  EXPECT_EQ(denial.direction, "egress");
  EXPECT_EQ(denial.policies, "shop/web");
}

TEST(DeniedLog, AnAddressThatIsNoPodsStandsAlone) {
  Pod ended = named_pod("web", "10.1.0.3");
  ended.has_ended = true;
  Pod of_the_host = named_pod("db", "10.1.0.4");
  of_the_host.uses_host_network = true;
  const PolicyObjects objects{.pods = {ended, of_the_host}};

  const auto denial = describe_denial({"in_44", kToDb}, logging_chains(), objects).value();

  EXPECT_EQ(denial.from, "10.1.0.3");
  EXPECT_EQ(denial.to, "10.1.0.4");
}

TEST(DeniedLog, OtherProtocolsHaveNoPort) {
  PacketHead echo{addr("fd00::3"), addr("fd00::4"), IPPROTO_ICMPV6};
  echo.icmp_type = 128;
  const auto of_icmp = describe_denial({"in_46", echo}, logging_chains(), {}).value();
  EXPECT_EQ(of_icmp.protocol, "ICMPv6");
  EXPECT_EQ(of_icmp.icmp_type, "128");
  EXPECT_EQ(of_icmp.port, "");

  const PacketHead tunnelled{addr("fd00::3"), addr("fd00::4"), IPPROTO_GRE};
  EXPECT_EQ(describe_denial({"in_46", tunnelled}, logging_chains(), {})->protocol, "47");
}

TEST(DeniedLog, WhatOtherRulesLogIsLeftOut) {
  for (const char* prefix : {"", "r", "4", "in_4", "in_4r", "in_54", "eg_1", "eg_14rr", "forward"})
    EXPECT_FALSE(describe_denial({prefix, kToDb}, logging_chains(), {})) << prefix;
}

}  // namespace
}  // namespace kubecni::test
