#include "control/nodes/node_maps.hpp"

#include "support/ip.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>

namespace kubecni::test {
namespace {

DesiredState with_peers() {
  DesiredState wanted;
  for (const IpAddr& address : {IpAddr::any(AF_INET), IpAddr::any(AF_INET6), addr("192.0.2.2")})
    wanted.tunnel_peers.emplace(address, kubecni_tunnel_peer{});
  return wanted;
}

TEST(NodeMaps, AMarkerIsSetAfterThePeersThatItIsAbout) {
  const auto changes = plan_node_maps(with_peers(), {});

  ASSERT_EQ(changes.tunnel_peers.set.size(), 3u);
  EXPECT_EQ(changes.tunnel_peers.set[0].first, addr("192.0.2.2"));
}

TEST(NodeMaps, AMarkerIsErasedBeforeThePeersThatItIsAbout) {
  const auto changes = plan_node_maps({}, {.cidrs = {}, .tunnel_peers = with_peers().tunnel_peers});

  ASSERT_EQ(changes.tunnel_peers.erase.size(), 3u);
  EXPECT_EQ(changes.tunnel_peers.erase[2].first, addr("192.0.2.2"));
}

TEST(NodeMaps, OnlyTheEntryThatDiffersIsWritten) {
  DesiredState wanted;
  wanted.cidrs.emplace(net("10.200.1.0/24"), kubecni_node{.kind = KUBECNI_NODE_LOCAL});
  wanted.cidrs.emplace(net("10.200.2.0/24"),
                       kubecni_node{.kind = KUBECNI_NODE_DIRECT, .mtu = 1500});
  NodeMaps found{.cidrs = wanted.cidrs, .tunnel_peers = {}};
  found.cidrs[net("10.200.2.0/24")].mtu = 9000;

  const auto changes = plan_node_maps(wanted, found);

  ASSERT_EQ(changes.cidrs.set.size(), 1u);
  EXPECT_EQ(changes.cidrs.set[0].first, net("10.200.2.0/24"));
  EXPECT_TRUE(changes.cidrs.erase.empty());
}

}  // namespace
}  // namespace kubecni::test
