#include "cluster/address_claims.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Nodes, and what each of them claims.
class AddressClaimsTest : public testing::Test {
 protected:
  void add(const std::string& name, const std::vector<std::string>& addresses,
           const std::string& cidr) {
    Node& added = nodes_.emplace_back();
    added.name = name;
    for (const auto& text : addresses) added.internal_ips.push_back(addr(text));
    if (!cidr.empty()) added.pod_cidrs.push_back(net(cidr));
  }
  [[nodiscard]] AddressClaims resolve(const AddressOwners& previous = {},
                                      const ClusterRules& rules = {}) const {
    std::vector<Claimant> claimants;
    for (const Node& node : nodes_)
      claimants.push_back(
          {&node.name, &node.internal_ips, node.pod_cidrs.empty() ? nullptr : &node.pod_cidrs});
    return resolve_addresses(claimants, previous, rules);
  }

 private:
  std::list<Node> nodes_;
};

TEST_F(AddressClaimsTest, GoToTheFirstByName) {
  add("n3", {"192.0.2.9", "192.0.2.3"}, "10.200.3.0/24");
  add("n2", {"192.0.2.9", "192.0.2.2"}, "10.200.2.0/24");

  const auto claims = resolve();

  EXPECT_EQ(claims.owners.at(addr("192.0.2.9")), "n2");
  EXPECT_THAT(claims.refused,
              ElementsAre(SkippedNode{"n3", "InternalIP 192.0.2.9 is already that of node n2"}));
}

TEST_F(AddressClaimsTest, StayWithTheNodeThatHadThem) {
  add("n2", {"192.0.2.9", "192.0.2.2"}, "10.200.2.0/24");
  add("n3", {"192.0.2.9", "192.0.2.3"}, "10.200.3.0/24");

  EXPECT_EQ(resolve({{addr("192.0.2.9"), "n3"}}).owners.at(addr("192.0.2.9")), "n3");
}

TEST_F(AddressClaimsTest, GoToANodeWithAPodCidrRatherThanToOneWithout) {
  add("n2", {"192.0.2.9"}, "");
  add("n3", {"192.0.2.9"}, "10.200.3.0/24");

  EXPECT_EQ(resolve().owners.at(addr("192.0.2.9")), "n3");
}

// A host that was renamed: the old Node object stays until somebody deletes it.
TEST_F(AddressClaimsTest, ANodeWhoseOnlyAddressIsAnothersKeepsItAndIsNamed) {
  add("new-name", {"192.0.2.9"}, "10.200.2.0/24");
  add("old-name", {"192.0.2.9"}, "10.200.3.0/24");

  const auto claims = resolve({{addr("192.0.2.9"), "old-name"}});

  EXPECT_EQ(claims.owners.at(addr("192.0.2.9")), "old-name");
  EXPECT_EQ(claims.shared.at("new-name"), addr("192.0.2.9"));
  EXPECT_THAT(claims.refused, IsEmpty());
  ASSERT_EQ(claims.warnings.size(), 1u);
  EXPECT_EQ(claims.warnings[0].name, "new-name");
}

TEST_F(AddressClaimsTest, InTheNodesOwnPodCidrAreTheLastChoice) {
  add("n2", {"10.200.2.1", "192.0.2.2"}, "10.200.2.0/24");
  add("n3", {"10.200.3.1"}, "10.200.3.0/24");

  const auto claims = resolve();

  EXPECT_THAT(claims.owners, ElementsAre(testing::Pair(addr("10.200.3.1"), "n3"),
                                         testing::Pair(addr("192.0.2.2"), "n2")));
  ASSERT_EQ(claims.refused.size(), 1u);
  EXPECT_THAT(claims.refused[0].reason, HasSubstr("own PodCIDR 10.200.2.0/24; set kubelet's"));
  ASSERT_EQ(claims.warnings.size(), 1u);
  EXPECT_EQ(claims.warnings[0].name, "n3");
}

TEST_F(AddressClaimsTest, InThePodNetworksAreTheLastChoice) {
  add("n2", {"10.200.9.1", "192.0.2.2"}, "10.200.2.0/24");
  add("n3", {"10.200.9.3"}, "10.200.3.0/24");

  const auto claims = resolve({}, {.cluster_cidrs = {net("10.200.0.0/16")}});

  EXPECT_FALSE(claims.owners.contains(addr("10.200.9.1")));
  EXPECT_TRUE(claims.owners.contains(addr("10.200.9.3")));
  EXPECT_THAT(claims.refused.at(0).reason, HasSubstr("pod network 10.200.0.0/16"));
}

TEST_F(AddressClaimsTest, ThatNoNodeCanHaveAreRefusedAlsoAsTheOnlyOne) {
  add("n2", {"127.0.0.1"}, "10.200.2.0/24");

  const auto claims = resolve();

  EXPECT_THAT(claims.owners, IsEmpty());
  EXPECT_EQ(claims.refused.at(0).name, "n2");
}

}  // namespace
}  // namespace kubecni::test
