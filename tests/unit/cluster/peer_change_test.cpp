#include "cluster/peer_change.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>

namespace kubecni::test {
namespace {

using testing::IsEmpty;

const Node kOwn = node("n1", "192.0.2.1", "10.200.1.0/24");
const Node kTwo = node("n2", "192.0.2.2", "10.200.2.0/24");
const Node kThree = node("n3", "192.0.2.3", "10.200.3.0/24");

ClusterView view_of_nodes(std::vector<Node> nodes) {
  return view_cluster({std::move(nodes), {}}, "n1", {});
}

/// That the view is what view_cluster() makes of the same nodes.
void expect_same(const ClusterView& view, const ClusterView& wanted) {
  EXPECT_EQ(view.peers, wanted.peers);
  EXPECT_EQ(view.owners, wanted.owners);
  EXPECT_EQ(view.address_owners, wanted.address_owners);
  EXPECT_EQ(view.node_addresses, wanted.node_addresses);
  EXPECT_THAT(view.skipped, IsEmpty());
}

TEST(PeerChange, ANodeThatComesIsTakenOver) {
  auto view = view_of_nodes({kOwn, kThree});

  const auto change = follow_peer(view, "n2", &kTwo, {});

  ASSERT_TRUE(change);
  EXPECT_EQ(change->before, std::nullopt);
  EXPECT_EQ(change->after, kTwo);
  expect_same(view, view_of_nodes({kOwn, kTwo, kThree}));
}

TEST(PeerChange, ANodeWithAnotherAddressIsTakenOver) {
  auto view = view_of_nodes({kOwn, kTwo, kThree});
  const Node moved = node("n2", "192.0.2.22", "10.200.2.0/24");

  const auto change = follow_peer(view, "n2", &moved, {});

  ASSERT_TRUE(change);
  EXPECT_EQ(change->before, kTwo);
  EXPECT_EQ(change->after, moved);
  expect_same(view, view_of_nodes({kOwn, moved, kThree}));
}

TEST(PeerChange, ANodeThatGoesIsTakenOver) {
  auto view = view_of_nodes({kOwn, kTwo, kThree});

  const auto change = follow_peer(view, "n2", nullptr, {});

  ASSERT_TRUE(change);
  EXPECT_EQ(change->before, kTwo);
  EXPECT_EQ(change->after, std::nullopt);
  expect_same(view, view_of_nodes({kOwn, kThree}));
}

struct Refused {
  const char* what;
  Node now;
};

class PeerChangeRefused : public testing::TestWithParam<Refused> {};

TEST_P(PeerChangeRefused, AndTheViewStays) {
  auto view = view_of_nodes({kOwn, kTwo, kThree});

  EXPECT_FALSE(follow_peer(view, GetParam().now.name, &GetParam().now, {}));

  expect_same(view, view_of_nodes({kOwn, kTwo, kThree}));
}

INSTANTIATE_TEST_SUITE_P(
    Claims, PeerChangeRefused,
    testing::Values(
        Refused{"of this node", node("n1", "192.0.2.1", "10.200.9.0/24")},
        Refused{"another's address", node("n2", "192.0.2.3", "10.200.2.0/24")},
        Refused{"this node's address", node("n2", "192.0.2.1", "10.200.2.0/24")},
        Refused{"another's PodCIDR", node("n2", "192.0.2.2", "10.200.3.0/24")},
        Refused{"a PodCIDR around its own and another's", node("n2", "192.0.2.2", "10.200.2.0/23")},
        Refused{"a PodCIDR with another's address", node("n2", "198.51.100.2", "192.0.2.0/24")},
        Refused{"an address in another's PodCIDR", node("n4", "10.200.3.7", "10.200.4.0/24")},
        Refused{"an address in its own PodCIDR", node("n4", "10.200.4.7", "10.200.4.0/24")},
        Refused{"an address that no node has", node("n4", "127.0.0.1", "10.200.4.0/24")}),
    [](const auto& row) {
      std::string name = row.param.what;
      std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
      return name;
    });

TEST(PeerChange, WhatWasRefusedIsLeftToAWholeLook) {
  const Node liar = node("n4", "192.0.2.4", "10.200.3.0/24");
  auto view = view_of_nodes({kOwn, kThree, liar});
  ASSERT_FALSE(view.skipped.empty());

  const Node honest = node("n4", "192.0.2.4", "10.200.4.0/24");
  EXPECT_FALSE(follow_peer(view, "n4", &honest, {}));
}

TEST(PeerChange, WhatAnotherMayHaveClaimedIsLeftToAWholeLook) {
  const Node liar = node("n4", "192.0.2.4", "10.200.3.0/24");
  auto view = view_of_nodes({kOwn, kThree, liar});
  const Node moved = node("n3", "192.0.2.33", "10.200.3.0/24");

  EXPECT_FALSE(follow_peer(view, "n3", nullptr, {}));
  EXPECT_FALSE(follow_peer(view, "n3", &moved, {}));
}

TEST(PeerChange, WhileThisNodeIsNotKnownNothingIsTakenOver) {
  auto view = view_of_nodes({kTwo});

  EXPECT_FALSE(follow_peer(view, "n3", &kThree, {}));
}

}  // namespace
}  // namespace kubecni::test
