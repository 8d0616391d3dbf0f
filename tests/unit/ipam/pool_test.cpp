#include "ipam/pool.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

namespace kubecni::test {
namespace {

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
                                         Refused{"2001:db8::/127", "at least a /126"},
                                         Refused{"2001:db8::1/128", "at least a /126"}));

std::optional<IpAddr> maybe(const std::string& text) { return IpAddr::parse(text); }
Range range(const std::string& subnet, const std::string& start = "", const std::string& end = "",
            const std::string& gateway = "") {
  return {net(subnet), maybe(start), maybe(end), maybe(gateway)};
}

struct Limits {
  const char* name;
  Range range;
  std::uint64_t size;
  const char* first;
  const char* last;

  friend void PrintTo(const Limits& limits, std::ostream* out) { *out << limits.name; }
};

class PoolLimits : public testing::TestWithParam<Limits> {};

TEST_P(PoolLimits, AreThoseOfTheRangeWithoutWhatNoPodMayGet) {
  const Pool pool = Pool::of(GetParam().range).value();

  EXPECT_EQ(pool.size(), GetParam().size);
  EXPECT_EQ(pool.at(0).str(), GetParam().first);
  EXPECT_EQ(pool.at(pool.size() - 1).str(), GetParam().last);
}

TEST_P(PoolLimits, GiveEveryAddressTheNumberThatLeadsToIt) {
  const Pool pool = Pool::of(GetParam().range).value();

  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(pool.size(), 600); ++i) {
    ASSERT_EQ(pool.index_of(pool.at(i)), i);
    ASSERT_TRUE(pool.contains(pool.at(i)));
    ASSERT_NE(pool.at(i), pool.gateway());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Pool, PoolLimits,
    testing::Values(
        Limits{"StartAndEnd", range("10.1.0.0/24", "10.1.0.10", "10.1.0.20"), 11, "10.1.0.10",
               "10.1.0.20"},
        Limits{"OneAddress", range("10.1.0.0/24", "10.1.0.10", "10.1.0.10"), 1, "10.1.0.10",
               "10.1.0.10"},
        Limits{"NetworkAndBroadcast", range("10.1.0.0/24", "10.1.0.0", "10.1.0.255"), 253,
               "10.1.0.2", "10.1.0.254"},
        Limits{"GatewayInTheMiddle", range("10.1.0.0/29", "", "", "10.1.0.4"), 5, "10.1.0.1",
               "10.1.0.6"},
        Limits{"GatewayLast", range("10.1.0.0/29", "", "", "10.1.0.6"), 5, "10.1.0.1", "10.1.0.5"},
        Limits{"StartIsGateway", range("10.1.0.0/24", "10.1.0.7", "10.1.0.9", "10.1.0.7"), 2,
               "10.1.0.8", "10.1.0.9"},
        Limits{"Ipv6Small", range("fd00::/126"), 2, "fd00::2", "fd00::3"},
        Limits{"Ipv6Range", range("fd00::/64", "fd00::ff:0", "fd00::ff:ff"), 256, "fd00::ff:0",
               "fd00::ff:ff"},
        Limits{"Ipv6Large", range("fd00::/96"), (std::uint64_t{1} << 32) - 2, "fd00::2",
               "fd00::ffff:ffff"},
        Limits{"Ipv6Huge", range("fd00::/64"), std::uint64_t{1} << 62, "fd00::2",
               "fd00::4000:0:0:1"},
        Limits{"Ipv6All", range("::/0"), std::uint64_t{1} << 62, "::2", "::4000:0:0:1"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Pool, GivesOnRequestAlsoAddressesThatHaveNoNumber) {
  const Pool pool = Pool::of(range("fd00::/64")).value();

  EXPECT_TRUE(pool.contains(addr("fd00::ffff:ffff:ffff:ffff")));
  EXPECT_EQ(pool.index_of(addr("fd00::ffff:ffff:ffff:ffff")), pool.size());
  EXPECT_FALSE(pool.contains(addr("fd00::"))) << "the anycast address of the routers";
  EXPECT_FALSE(pool.contains(addr("fd00::1"))) << "the gateway";
  EXPECT_FALSE(pool.contains(addr("fd00:0:0:1::")));
}

struct RefusedRange {
  const char* name;
  Range range;
  const char* why;

  friend void PrintTo(const RefusedRange& refused, std::ostream* out) { *out << refused.name; }
};

class PoolRefusesRange : public testing::TestWithParam<RefusedRange> {};

TEST_P(PoolRefusesRange, AndNamesTheKeyAtFault) {
  const auto pool = Pool::of(GetParam().range);

  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code, EINVAL);
  EXPECT_THAT(pool.error().what, testing::HasSubstr(GetParam().why));
}

INSTANTIATE_TEST_SUITE_P(
    Pool, PoolRefusesRange,
    testing::Values(
        RefusedRange{"Start", range("10.1.0.0/24", "10.2.0.1"), "rangeStart 10.2.0.1 is outside"},
        RefusedRange{"End", range("10.1.0.0/24", "", "10.2.0.1"), "rangeEnd 10.2.0.1 is outside"},
        RefusedRange{"Gateway", range("10.1.0.0/24", "", "", "10.2.0.1"),
                     "gateway 10.2.0.1 is out"},
        RefusedRange{"OtherFamily", range("10.1.0.0/24", "fd00::5"), "rangeStart fd00::5 is out"},
        RefusedRange{"Backwards", range("10.1.0.0/24", "10.1.0.9", "10.1.0.5"), "is before"},
        RefusedRange{"OnlyTheGateway", range("10.1.0.0/24", "10.1.0.0", "10.1.0.1"), "leave no"},
        RefusedRange{"OnlyTheBroadcast", range("10.1.0.0/24", "10.1.0.255"), "leave no"},
        RefusedRange{"GatewayIsNetwork", range("10.1.0.0/24", "", "", "10.1.0.0"), "is not a host"},
        RefusedRange{"GatewayIsBroadcast", range("10.1.0.0/24", "", "", "10.1.0.255"),
                     "is not a host"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(PoolSets, AreOneForEachListOfRanges) {
  const auto sets =
      pool_sets_of({{range("10.1.0.0/24"), range("10.2.0.0/24")}, {range("fd00::/64")}});

  ASSERT_TRUE(sets);
  ASSERT_EQ(sets->size(), 2u);
  EXPECT_EQ(describe(sets->at(0)), "10.1.0.0/24, 10.2.0.0/24");
  EXPECT_EQ(find_pool(*sets, addr("10.2.0.9")), &sets->at(0).at(1));
  EXPECT_EQ(find_pool(*sets, addr("10.3.0.9")), nullptr);
}

TEST(PoolSets, MayHaveTwoRangesOfOneSubnet) {
  EXPECT_TRUE(pool_sets_of({{range("10.1.0.0/24", "10.1.0.10", "10.1.0.20"),
                             range("10.1.0.0/24", "10.1.0.21", "10.1.0.30")}}));
}

TEST(PoolSets, AreRefusedWhenOneAddressCouldBeGivenTwice) {
  const std::string why = "overlap";

  EXPECT_THAT(pool_sets_of({{range("10.1.0.0/24"), range("10.1.0.0/25")}}).error().what,
              testing::HasSubstr(why));
  EXPECT_THAT(pool_sets_of({{range("10.1.0.0/24")}, {range("10.1.0.0/16")}}).error().what,
              testing::HasSubstr(why));
}

TEST(PoolSets, AreRefusedWhenEmptyOrOfBothFamilies) {
  EXPECT_THAT(pool_sets_of({{range("10.1.0.0/24")}, {}}).error().what,
              testing::HasSubstr("range set 1 is empty"));
  EXPECT_THAT(pool_sets_of({{range("10.1.0.0/24"), range("fd00::/64")}}).error().what,
              testing::HasSubstr("range set 0 has both IPv4 and IPv6"));
}

}  // namespace
}  // namespace kubecni::test
