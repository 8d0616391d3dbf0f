#include "control/nodes/kernel_routes.hpp"

#include "support/ip.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>

namespace kubecni::test {
namespace {

Route route_to(const std::string& dst, const std::string& gateway, unsigned protocol) {
  return {.dst = net(dst),
          .gateway = addr(gateway),
          .ifindex = 2,
          .protocol = static_cast<std::uint8_t>(protocol),
          .encap = {},
          .source = {}};
}

DesiredState wanting(const Route& route) {
  DesiredState wanted;
  wanted.routes.emplace(RouteKey{route.table, route.dst}, route);
  return wanted;
}

Rule rule_of(int family) {
  return {.family = family,
          .iif = "cni0",
          .table = kNodeTable,
          .priority = kNodeRulePriority,
          .protocol = kRouteProtocol};
}

TEST(KernelRoutes, WhatIsRightStays) {
  const Route route = route_to("10.200.2.0/24", "192.0.2.2", kRouteProtocol);
  DesiredState wanted = wanting(route);
  wanted.rules.insert(rule_of(AF_INET));

  const auto changes =
      plan_kernel_routes(wanted, {.routes = {route}, .rules = {{rule_of(AF_INET)}}});

  EXPECT_TRUE(changes.routes.set.empty() && changes.routes.erase.empty());
  EXPECT_TRUE(changes.set_rules.empty() && changes.erase_rules.empty());
}

TEST(KernelRoutes, ARouteOfSomebodyElseIsNotReplaced) {
  const auto changes =
      plan_kernel_routes(wanting(route_to("10.200.2.0/24", "192.0.2.2", kRouteProtocol)),
                         {.routes = {route_to("10.200.2.0/24", "192.0.2.9", 3)}, .rules = {{}}});

  EXPECT_TRUE(changes.routes.set.empty());
  ASSERT_EQ(changes.taken.size(), 1u);
  EXPECT_EQ(changes.taken[0].dst, net("10.200.2.0/24"));
}

// It goes when the bridge gives its address up.
TEST(KernelRoutes, ThatOfThePodsBridgeIsWaitedFor) {
  constexpr unsigned kOfTheKernel = 2;
  Route connected = route_to("10.200.2.0/24", "192.0.2.9", kOfTheKernel);
  connected.gateway.reset();
  connected.ifindex = 7;

  const auto changes =
      plan_kernel_routes(wanting(route_to("10.200.2.0/24", "192.0.2.2", kRouteProtocol)),
                         {.routes = {connected}, .rules = {{}}, .bridge_ifindex = 7});

  EXPECT_TRUE(changes.routes.set.empty());
  EXPECT_TRUE(changes.taken.empty());
}

// The kernel keeps IPv4 routes of two metrics beside each other.
TEST(KernelRoutes, OursOfAnotherMetricGoes) {
  Route before = route_to("10.200.2.0/24", "192.0.2.2", kRouteProtocol);
  Route after = before;
  after.metric = 1024;

  const auto changes = plan_kernel_routes(wanting(after), {.routes = {before}, .rules = {{}}});

  ASSERT_EQ(changes.routes.set.size(), 1u);
  ASSERT_EQ(changes.routes.erase.size(), 1u);
  EXPECT_EQ(changes.routes.erase[0].second, before);
  EXPECT_TRUE(
      plan_kernel_routes(wanting(after), {.routes = {after}, .rules = {{}}}).routes.erase.empty());
}

TEST(KernelRoutes, ARouteOfSomebodyElseCountsAtTheMetricOfOurs) {
  Route to_nobody{.dst = net("10.200.1.0/24"),
                  .gateway = {},
                  .ifindex = 0,
                  .protocol = kRouteProtocol,
                  .metric = 1024,
                  .unicast = false,
                  .encap = {},
                  .source = {}};
  Route theirs = route_to("10.200.1.0/24", "192.0.2.9", 3);

  EXPECT_TRUE(
      plan_kernel_routes(wanting(to_nobody), {.routes = {theirs}, .rules = {{}}}).taken.empty());
  theirs.metric = 1024;
  const auto changes = plan_kernel_routes(wanting(to_nobody), {.routes = {theirs}, .rules = {{}}});

  EXPECT_EQ(changes.taken.size(), 1u);
  EXPECT_TRUE(changes.routes.set.empty());
}

TEST(KernelRoutes, OursThatLeadsElsewhereIsReplacedAndOneThatNobodyWantsGoes) {
  const auto changes =
      plan_kernel_routes(wanting(route_to("10.200.2.0/24", "192.0.2.2", kRouteProtocol)),
                         {.routes = {route_to("10.200.2.0/24", "192.0.2.9", kRouteProtocol),
                                     route_to("10.200.3.0/24", "192.0.2.3", kRouteProtocol)},
                          .rules = {{}}});

  ASSERT_EQ(changes.routes.set.size(), 1u);
  EXPECT_EQ(changes.routes.set[0].second.gateway, addr("192.0.2.2"));
  ASSERT_EQ(changes.routes.erase.size(), 1u);
  EXPECT_EQ(changes.routes.erase[0].second.dst, net("10.200.3.0/24"));
}

TEST(KernelRoutes, OneRuleOfAFamilyIsKeptAndDoublesAndStrangersGo) {
  DesiredState wanted;
  wanted.rules.insert(rule_of(AF_INET));
  Rule other = rule_of(AF_INET);
  other.iif = "eth7";

  const auto changes = plan_kernel_routes(
      wanted,
      {.routes = {}, .rules = {{rule_of(AF_INET), rule_of(AF_INET), other, rule_of(AF_INET6)}}});

  EXPECT_TRUE(changes.set_rules.empty());
  EXPECT_EQ(changes.erase_rules.size(), 3u);
}

TEST(KernelRoutes, WhatTheKernelDoesNotTellIsLeftAlone) {
  DesiredState wanted;
  wanted.rules.insert(rule_of(AF_INET));
  wanted.neighbours.emplace(addr("192.0.2.2"), Neighbour{9, addr("192.0.2.2"), {}});

  const auto changes = plan_kernel_routes(wanted, {.routes = {}, .rules = {}});

  EXPECT_TRUE(changes.set_rules.empty() && changes.erase_rules.empty());
  EXPECT_TRUE(changes.neighbours.set.empty());
}

}  // namespace
}  // namespace kubecni::test
