#include "dataplane/pod_routes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr unsigned kEth0 = 2, kNet1 = 3;

PodRoute pod_route(const char* dst, const char* gateway) {
  return {*IpNet::parse(dst), *IpAddr::parse(gateway)};
}

Route route(const char* dst, const char* gateway, unsigned ifindex, unsigned metric = 0) {
  return {.dst = *IpNet::parse(dst),
          .gateway = *IpAddr::parse(gateway),
          .ifindex = ifindex,
          .metric = metric};
}

const PodRoute kDefault = pod_route("0.0.0.0/0", "10.2.0.1");
const PodRoute kDefault6 = pod_route("::/0", "fd00:2::1");
const PodRoute kSpecific = pod_route("192.0.2.0/24", "10.2.0.9");

TEST(PlanPodRoutes, TheFirstInterfaceGetsAllOfThem) {
  const auto plan = plan_pod_routes({kDefault, kDefault6, kSpecific}, {}, kNet1, false);

  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->made, ElementsAre(kDefault, kDefault6, kSpecific));
  EXPECT_THAT(plan->steps, SizeIs(3));
  EXPECT_THAT(plan->left_out, IsEmpty());
}

TEST(PlanPodRoutes, RoutesOfAnotherInterfaceAreKeptWhateverTheMetric) {
  for (const unsigned metric : {0U, 100U}) {
    const auto plan = plan_pod_routes({kDefault, kDefault6, kSpecific},
                                      {route("0.0.0.0/0", "10.1.0.1", kEth0, metric),
                                       route("192.0.2.0/24", "10.1.0.1", kEth0, metric)},
                                      kNet1, false);

    ASSERT_TRUE(plan);
    EXPECT_THAT(plan->made, ElementsAre(kDefault6)) << "of the other family there is none yet";
    ASSERT_THAT(plan->left_out, SizeIs(2));
    EXPECT_EQ(plan->left_out.front().route, kDefault);
    EXPECT_EQ(plan->left_out.front().by_ifindex, kEth0);
  }
}

TEST(PlanPodRoutes, OtherTablesAndTheKernelsOwnNoRouteDoNotCount) {
  Route elsewhere = route("0.0.0.0/0", "10.1.0.1", kEth0);
  elsewhere.table = 100;  // as sbr makes it
  Route none = route("::/0", "fd00:1::1", 1, 4294967295);
  none.unicast = false;

  const auto plan = plan_pod_routes({kDefault, kDefault6}, {elsewhere, none}, kNet1, false);

  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->made, SizeIs(2));
}

TEST(PlanPodRoutes, ABlackholeOfThePodIsARouteToo) {
  Route blackhole{.dst = *IpNet::parse("192.0.2.0/24"), .unicast = false};

  const auto plan = plan_pod_routes({kSpecific}, {blackhole}, kNet1, true);

  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->made, IsEmpty());
}

TEST(PlanPodRoutes, TakenDefaultRouteWinsAndTheOthersStay) {
  const auto plan = plan_pod_routes(
      {kDefault, kDefault6, kSpecific},
      {route("0.0.0.0/0", "10.9.0.1", kEth0, 200), route("0.0.0.0/0", "10.1.0.1", kEth0, 50),
       route("::/0", "fd00:1::1", kEth0, kDefaultMetric6),
       route("192.0.2.0/24", "10.1.0.1", kEth0)},
      kNet1, true);

  ASSERT_TRUE(plan);
  ASSERT_THAT(plan->steps, SizeIs(2)) << "it is about default routes only";
  EXPECT_TRUE(plan->steps[0].goes_before);
  EXPECT_EQ(plan->steps[0].route.metric, 50U);
  EXPECT_FALSE(plan->steps[1].goes_before);
  EXPECT_EQ(plan->steps[1].route.metric, kDefaultMetric6 - 1);
}

TEST(PlanPodRoutes, AnIpv6DefaultRouteThatNothingWinsOverIsAnError) {
  const auto plan =
      plan_pod_routes({kDefault6}, {route("::/0", "fd00:1::1", kEth0, 1)}, kNet1, true);

  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, EEXIST);
  EXPECT_THAT(plan.error().what, testing::HasSubstr("metric 1"));
}

TEST(PlanPodRoutes, FirstOfTwoRoutesToADestinationCounts) {
  const auto plan =
      plan_pod_routes({kSpecific, pod_route("192.0.2.0/24", "10.2.0.8")}, {}, kNet1, false);

  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->made, ElementsAre(kSpecific));
  ASSERT_THAT(plan->left_out, SizeIs(1));
  EXPECT_EQ(plan->left_out.front().by_ifindex, kNet1);
}

}  // namespace
}  // namespace kubecni
