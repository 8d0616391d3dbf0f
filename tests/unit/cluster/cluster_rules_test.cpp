#include "cluster/cluster_rules.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

TEST(PodCidrRules, RefuseWhatNoPodsCanHave) {
  for (const char* cidr : {"8.0.0.0/7", "0.0.0.0/1", "fc00::/7", "127.1.0.0/24", "169.254.3.0/24",
                           "224.1.0.0/16", "250.0.0.0/8", "255.255.255.0/24", "0.1.0.0/16",
                           "fe80:0:0:1::/64", "ff02::/64", "::/64", "0:0:7::/48"})
    EXPECT_NE(why_no_pod_cidr(net(cidr), {}), "") << cidr;
}

TEST(PodCidrRules, TakeTheOthersWithoutASetting) {
  for (const char* cidr : {"10.0.0.0/8", "10.1.2.0/24", "192.168.0.0/16", "172.20.0.0/16",
                           "100.64.3.0/24", "9.0.0.0/8", "fd00:1::/64", "2001:db8::/32"})
    EXPECT_EQ(why_no_pod_cidr(net(cidr), {}), "") << cidr;
}

TEST(PodCidrRules, RefuseWhatIsOutsideThePodNetworksOfItsFamily) {
  const ClusterRules rules{.cluster_cidrs = {net("10.200.0.0/16"), net("10.210.0.0/16")}};

  EXPECT_EQ(why_no_pod_cidr(net("10.210.7.0/24"), rules), "");
  EXPECT_EQ(why_no_pod_cidr(net("fd00:1::/64"), rules), "") << "nothing is said of IPv6";
  EXPECT_THAT(why_no_pod_cidr(net("10.0.0.0/8"), rules),
              HasSubstr("outside the pod networks 10.200.0.0/16, 10.210.0.0/16 (--cluster-cidr)"));
}

TEST(PodCidrRules, RefuseTheNetworkOfTheServices) {
  const ClusterRules rules{.service_cidrs = {net("10.96.0.0/12")}};

  EXPECT_THAT(why_no_pod_cidr(net("10.97.3.0/24"), rules), HasSubstr("--service-cidr"));
  EXPECT_THAT(why_no_pod_cidr(net("10.0.0.0/8"), rules), HasSubstr("--service-cidr"));
  EXPECT_EQ(why_no_pod_cidr(net("10.200.3.0/24"), rules), "");
}

TEST(PodCidrRules, RefuseTheAddressOfTheApiServersService) {
  const ClusterRules rules{.service_host = addr("10.96.0.1")};

  EXPECT_THAT(why_no_pod_cidr(net("10.96.0.0/16"), rules), HasSubstr("KUBERNETES_SERVICE_HOST"));
  EXPECT_EQ(why_no_pod_cidr(net("10.97.0.0/16"), rules), "");
}

TEST(PodCidrRules, DoubtAddressesOfTheInternetUnlessTheyAreConfigured) {
  EXPECT_THAT(doubt_about_pod_cidr(net("8.8.8.0/24"), {}), HasSubstr("--cluster-cidr"));
  EXPECT_THAT(doubt_about_pod_cidr(net("172.0.0.0/8"), {}), HasSubstr("--cluster-cidr"));
  EXPECT_EQ(doubt_about_pod_cidr(net("8.8.8.0/24"), {.cluster_cidrs = {net("8.8.0.0/16")}}), "");
  for (const char* cidr : {"10.1.0.0/16", "172.31.0.0/16", "100.127.0.0/16", "2a00:1::/64"})
    EXPECT_EQ(doubt_about_pod_cidr(net(cidr), {}), "") << cidr;
}

TEST(NodeAddressRules, RefuseWhatNoHostHas) {
  for (const char* address : {"127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1", "255.255.255.255",
                              "240.0.0.1", "::1", "::", "fe80::1", "ff02::1", "::ffff:10.0.0.1"})
    EXPECT_NE(why_no_node_address(addr(address), {}), "") << address;
  for (const char* address : {"10.0.0.1", "8.8.8.8", "fd00::1", "2001:db8::1"})
    EXPECT_EQ(why_no_node_address(addr(address), {}), "") << address;
}

TEST(NodeAddressRules, RefuseWhatIsOutsideTheNodesNetworksOfItsFamily) {
  const ClusterRules rules{.node_cidrs = {net("192.0.2.0/24")}};

  EXPECT_EQ(why_no_node_address(addr("192.0.2.7"), rules), "");
  EXPECT_EQ(why_no_node_address(addr("2001:db8::7"), rules), "");
  EXPECT_THAT(why_no_node_address(addr("8.8.8.8"), rules), HasSubstr("192.0.2.0/24 (--node-cidr)"));
}

TEST(ClusterRules, ThatContradictEachOtherAreNamed) {
  EXPECT_EQ(contradiction_in({.cluster_cidrs = {net("10.0.0.0/8")},
                              .service_cidrs = {net("fd00::/108"), net("10.96.0.0/12")}}),
            "--cluster-cidr 10.0.0.0/8 overlaps --service-cidr 10.96.0.0/12");
  EXPECT_EQ(contradiction_in(
                {.cluster_cidrs = {net("10.200.0.0/16")}, .service_cidrs = {net("10.96.0.0/12")}}),
            "");
}

}  // namespace
}  // namespace kubecni::test
