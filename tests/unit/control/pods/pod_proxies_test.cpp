#include "control/pods/pod_proxies.hpp"

#include "net/route.hpp"
#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// With an empty `bridge`, it is in mode ptp.
Attachment pod_at(const std::string& bridge, const std::string& host_ifname,
                  const std::string& address) {
  Attachment attachment;
  attachment.port.bridge = bridge;
  attachment.port.host_ifname = host_ifname;
  attachment.port.addresses = {{net(address), addr("10.200.1.1")}};
  return attachment;
}

const Attachment kOnBridge = pod_at("cni0", "veth1", "10.200.1.2/24");
const Attachment kRouted = pod_at("", "veth2", "10.200.1.3/32");
const std::vector<Link> kLinks{{.ifindex = 5, .name = "cni0"},
                               {.ifindex = 6, .name = "veth1"},
                               {.ifindex = 7, .name = "veth2"}};

TEST(PodProxies, AreForPodsWithoutABridgeInTheSubnetOfTheOthers) {
  EXPECT_THAT(plan_pod_proxies({kOnBridge, kRouted}, kLinks),
              ElementsAre(NeighbourProxy{5, addr("10.200.1.3"), kRouteProtocol}));
}

TEST(PodProxies, AreNoneWhereAllPodsAreOfOneMode) {
  EXPECT_THAT(plan_pod_proxies({kOnBridge}, kLinks), IsEmpty());
  EXPECT_THAT(plan_pod_proxies({kRouted}, kLinks), IsEmpty());
}

TEST(PodProxies, AreNoneForPodsOfAnotherNetworkWithTheSameAddresses) {
  Attachment other = kRouted;
  other.network = "other";

  EXPECT_THAT(plan_pod_proxies({kOnBridge, other}, kLinks), IsEmpty());
}

TEST(PodProxies, AreNoneForOtherSubnetsAndForPodsThatAreGone) {
  EXPECT_THAT(plan_pod_proxies({kOnBridge, pod_at("", "veth2", "198.51.100.3/32")}, kLinks),
              IsEmpty());
  EXPECT_THAT(plan_pod_proxies({kOnBridge, pod_at("", "veth9", "10.200.1.3/32")}, kLinks),
              IsEmpty());
}

}  // namespace
}  // namespace kubecni::test
