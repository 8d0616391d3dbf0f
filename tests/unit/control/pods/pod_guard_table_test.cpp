#include "control/pods/pod_guard_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

GuardedPod pod() {
  return {.mac = MacAddr::parse("0a:58:0a:c8:00:02").value(),
          .addresses = {IpAddr::parse("10.200.0.2").value(), IpAddr::parse("fd00::2").value()}};
}

TEST(PodGuardTable, KnowsWhatAPodMaySay) {
  const NftTable table = plan_pod_guard({{"veth1", pod()}});

  EXPECT_EQ(table.name, "bridge kube-cni");
  const auto elements = [&](const char* set) { return table.sets.at(set).elements; };
  EXPECT_THAT(elements("ports"), ElementsAre("\"veth1\""));
  EXPECT_THAT(elements("macs"), ElementsAre("\"veth1\" . 0a:58:0a:c8:00:02"));
  EXPECT_THAT(elements("sources4"), ElementsAre("\"veth1\" . 0a:58:0a:c8:00:02 . 10.200.0.2"));
  EXPECT_THAT(elements("sources6"),
              ElementsAre("\"veth1\" . 0a:58:0a:c8:00:02 . fd00::2",
                          "\"veth1\" . 0a:58:0a:c8:00:02 . fe80::858:aff:fec8:2"));
  EXPECT_THAT(elements("arp_senders"), ElementsAre("\"veth1\" . 0a:58:0a:c8:00:02 . 0.0.0.0",
                                                   "\"veth1\" . 0a:58:0a:c8:00:02 . 10.200.0.2"));
  EXPECT_THAT(elements("received4"), ElementsAre("\"veth1\" . 0x0ac80002"));
  EXPECT_THAT(elements("received6"), ElementsAre("\"veth1\" . 0xfd000000000000000000000000000002",
                                                 "\"veth1\" . 0xfe8000000000000008580afffec80002"));
  EXPECT_THAT(elements("option_macs"), ElementsAre("\"veth1\" . 0x0a580ac80002"));
}

TEST(RoutedGuardTable, KnowsWhatAPodMaySay) {
  const NftTable table = plan_routed_guard({{"veth1", pod()}});

  EXPECT_EQ(table.name, "inet kube-cni-guard");
  EXPECT_EQ(table.sets.at("sources4").elements,
            plan_pod_guard({{"veth1", pod()}}).sets.at("sources4").elements);
  EXPECT_FALSE(table.sets.contains("arp_senders")) << "ARP meets no hook of this family";
}

TEST(PodGuardTable, KnowsThePortsOfABridgeWithAnUplink) {
  GuardedPod outside = pod();
  outside.uplink = "eth0.100";

  const NftTable table = plan_pod_guard({{"veth1", pod()}, {"veth2", outside}});

  EXPECT_THAT(table.sets.at("uplinked").elements, ElementsAre("\"eth0.100\"", "\"veth2\""));
}

TEST(PodGuardTable, StandsWithoutPods) {
  const NftTable table = plan_pod_guard({});

  EXPECT_THAT(table.sets.at("ports").elements, IsEmpty());
  EXPECT_NE(table.text(), "");
}

TEST(PodGuardTable, ChangesElementsAloneWhenAPodComes) {
  const auto change = plan_elements(plan_pod_guard({}), plan_pod_guard({{"veth1", pod()}}));

  ASSERT_TRUE(change);
  EXPECT_TRUE(change->starts_with("add element bridge kube-cni arp_senders {")) << *change;
  EXPECT_EQ(change->find("delete"), std::string::npos);
}

}  // namespace
}  // namespace kubecni::test
