#include "ipam/pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace kubecni::test {
namespace {

IpAddr addr(const std::string& text) { return IpAddr::parse(text).value(); }
Pool pool_of(const std::string& subnet) { return Pool::of(IpNet::parse(subnet).value()).value(); }

struct Edges {
  const char* subnet;
  const char* gateway_net;
  std::uint64_t size;
  const char* first;
  const char* last;
  const char* broadcast;

  friend void PrintTo(const Edges& edges, std::ostream* out) { *out << edges.subnet; }
};

class PoolEdges : public testing::TestWithParam<Edges> {};

TEST_P(PoolEdges, AreAllAddressesButNetworkGatewayAndBroadcast) {
  const Pool pool = pool_of(GetParam().subnet);

  EXPECT_EQ(pool.gateway_net().str(), GetParam().gateway_net);
  EXPECT_EQ(pool.size(), GetParam().size);
  EXPECT_EQ(pool.at(0).str(), GetParam().first);
  EXPECT_EQ(pool.at(pool.size() - 1).str(), GetParam().last);
}

TEST_P(PoolEdges, HaveTheNumbersOfTheirAddresses) {
  const Pool pool = pool_of(GetParam().subnet);

  EXPECT_EQ(pool.index_of(addr(GetParam().first)), 0u);
  EXPECT_EQ(pool.index_of(addr(GetParam().last)), pool.size() - 1);
}

TEST_P(PoolEdges, ExcludeWhatNoPodMayGet) {
  const Pool pool = pool_of(GetParam().subnet);
  const IpAddr network = pool.subnet().addr;

  EXPECT_EQ(pool.index_of(network), pool.size());
  EXPECT_EQ(pool.index_of(pool.gateway()), pool.size());
  EXPECT_EQ(pool.index_of(addr(GetParam().broadcast)), pool.size());
  EXPECT_EQ(pool.index_of(network.plus((std::uint64_t{1} << 32) - 1)), pool.size());
  EXPECT_EQ(pool.index_of(addr(GetParam().broadcast).plus(1)), pool.size());
}

INSTANTIATE_TEST_SUITE_P(
    Pool, PoolEdges,
    testing::Values(
        Edges{"192.0.2.4/30", "192.0.2.5/30", 1, "192.0.2.6", "192.0.2.6", "192.0.2.7"},
        Edges{"192.0.2.8/29", "192.0.2.9/29", 5, "192.0.2.10", "192.0.2.14", "192.0.2.15"},
        Edges{"10.200.1.0/24", "10.200.1.1/24", 253, "10.200.1.2", "10.200.1.254", "10.200.1.255"},
        Edges{"10.200.0.0/16", "10.200.0.1/16", 65533, "10.200.0.2", "10.200.255.254",
              "10.200.255.255"},
        Edges{"255.255.255.252/30", "255.255.255.253/30", 1, "255.255.255.254", "255.255.255.254",
              "255.255.255.255"}));

TEST(Pool, GivesEveryAddressOfItsSubnetOneNumber) {
  const Pool pool = pool_of("10.200.0.0/22");

  for (std::uint64_t i = 0; i < pool.size(); ++i) ASSERT_EQ(pool.index_of(pool.at(i)), i);
}

TEST(Pool, IsThatOfTheNetworkWhenHostBitsAreSet) {
  const Pool pool = pool_of("10.200.1.77/24");

  EXPECT_EQ(pool.subnet().str(), "10.200.1.0/24");
  EXPECT_EQ(pool.gateway().str(), "10.200.1.1");
}

TEST(Pool, HasNoNumberForAnIpv6Address) {
  const Pool pool = pool_of("10.200.1.0/24");

  EXPECT_EQ(pool.index_of(addr("::ac8:102")), pool.size());
}

struct Refused {
  const char* subnet;
  const char* why;

  friend void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.subnet; }
};

class PoolRefuses : public testing::TestWithParam<Refused> {};

TEST_P(PoolRefuses, ASubnetThatHasNoPodAddresses) {
  const auto pool = Pool::of(IpNet::parse(GetParam().subnet).value());

  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code, EINVAL);
  EXPECT_THAT(pool.error().what, testing::HasSubstr(GetParam().subnet));
  EXPECT_THAT(pool.error().what, testing::HasSubstr(GetParam().why));
}

INSTANTIATE_TEST_SUITE_P(Pool, PoolRefuses,
                         testing::Values(Refused{"192.0.2.0/31", "at least a /30"},
                                         Refused{"192.0.2.1/32", "at least a /30"},
                                         Refused{"2001:db8::/64", "only IPv4"},
                                         Refused{"2001:db8::/30", "only IPv4"}));

}  // namespace
}  // namespace kubecni::test
