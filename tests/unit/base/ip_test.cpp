#include "base/ip.hpp"

#include "support/ip.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

using namespace std::string_literals;

TEST(IpAddr, ReadsADottedQuadInNetworkOrder) {
  const auto parsed = IpAddr::parse("192.0.2.7");

  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, IpAddr::v4({192, 0, 2, 7}));
  EXPECT_EQ(parsed->family(), AF_INET);
  EXPECT_EQ(parsed->bits(), 32u);
  EXPECT_EQ(parsed->str(), "192.0.2.7");
}

TEST(IpAddr, ReadsIpv6AndWritesItsShortForm) {
  const auto parsed = IpAddr::parse("2001:DB8:0:0:0:0:0:1");

  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->family(), AF_INET6);
  EXPECT_EQ(parsed->bits(), 128u);
  EXPECT_EQ(parsed->str(), "2001:db8::1");
  EXPECT_EQ(*parsed, addr("2001:db8::1"));
}

TEST(IpAddr, KeepsAMappedAddressApartFromItsIpv4) {
  EXPECT_NE(addr("::ffff:192.0.2.1"), addr("192.0.2.1"));
}

TEST(IpAddr, KnowsWhatIsLinkLocal) {
  for (const char* text : {"fe80::1", "febf:ffff::1"})
    EXPECT_TRUE(IpAddr::parse(text)->is_link_local()) << text;
  for (const char* text : {"fe7f::1", "fec0::1", "::1", "254.128.0.1"})
    EXPECT_FALSE(IpAddr::parse(text)->is_link_local()) << text;
}

TEST(IpAddr, UnsetOneHasNoText) { EXPECT_EQ(IpAddr().str(), ""); }

TEST(IpAddr, RefusesWhatIsNoAddress) {
  for (const auto& text : {""s,
                           " "s,
                           "."s,
                           ":"s,
                           "localhost"s,
                           "192.0.2"s,
                           "192.0.2.1.1"s,
                           "192.0.2.256"s,
                           "192.0.2.-1"s,
                           "192.0.2.01"s,
                           "0x7f.0.0.1"s,
                           " 192.0.2.1"s,
                           "192.0.2.1 "s,
                           "192.0.2.1\n"s,
                           "192.0.2.1/24"s,
                           "192,0,2,1"s,
                           "2001:db8:::1"s,
                           "2001:db8::1::"s,
                           "2001:db8::g"s,
                           "fe80::1%eth0"s,
                           "[2001:db8::1]"s,
                           "1:2:3:4:5:6:7:8:9"s,
                           std::string(100000, '1')})
    EXPECT_FALSE(IpAddr::parse(text)) << text.substr(0, 80);
}

TEST(IpAddr, RefusesNulBytesWhereverTheyAre) {
  for (const auto& text : {"\0"s, "192.0.2.1\0"s, "192.0.2.1\0.5"s, "\000192.0.2.1"s, "::1\0"s})
    EXPECT_FALSE(IpAddr::parse(text)) << text.size() << " bytes";
}

struct Sum {
  const char* addr;
  std::uint64_t offset;
  const char* sum;

  friend void PrintTo(const Sum& sum, std::ostream* out) {
    *out << sum.addr << " + " << sum.offset;
  }
};

class IpAddrPlus : public testing::TestWithParam<Sum> {};

TEST_P(IpAddrPlus, IsTheAddressThatMuchFurtherOn) {
  EXPECT_EQ(addr(GetParam().addr).plus(GetParam().offset).str(), GetParam().sum);
}

constexpr auto kMaxOffset = std::numeric_limits<std::uint64_t>::max();

INSTANTIATE_TEST_SUITE_P(
    Plus, IpAddrPlus,
    testing::Values(Sum{"192.0.2.1", 0, "192.0.2.1"}, Sum{"192.0.2.1", 1, "192.0.2.2"},
                    Sum{"192.0.2.255", 1, "192.0.3.0"}, Sum{"10.255.255.255", 1, "11.0.0.0"},
                    Sum{"10.0.0.0", 65536, "10.1.0.0"}, Sum{"255.255.255.255", 1, "0.0.0.0"},
                    Sum{"192.0.2.1", std::uint64_t{1} << 32, "192.0.2.1"},
                    Sum{"192.0.2.1", kMaxOffset, "192.0.2.0"},
                    Sum{"2001:db8::ff", 1, "2001:db8::100"},
                    Sum{"2001:db8::ffff:ffff:ffff:ffff", 1, "2001:db8:0:1::"},
                    Sum{"2001:db8::1", kMaxOffset, "2001:db8:0:1::"},
                    Sum{"2001:db8::ff", kMaxOffset, "2001:db8:0:1::fe"},
                    Sum{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, "::"}));

struct Mask {
  const char* addr;
  unsigned prefix;
  const char* masked;

  friend void PrintTo(const Mask& mask, std::ostream* out) {
    *out << mask.addr << "/" << mask.prefix;
  }
};

TEST(IpAddrFilled, HasAllBitsAfterThePrefix) {
  EXPECT_EQ(addr("10.200.7.1").filled(24).str(), "10.200.7.255");
  EXPECT_EQ(addr("10.200.7.1").filled(30).str(), "10.200.7.3");
  EXPECT_EQ(addr("10.200.7.1").filled(0).str(), "255.255.255.255");
  EXPECT_EQ(addr("10.200.7.1").filled(32).str(), "10.200.7.1");
  EXPECT_EQ(addr("fd00::1").filled(64).str(), "fd00::ffff:ffff:ffff:ffff");
}

class IpAddrMasked : public testing::TestWithParam<Mask> {};

TEST_P(IpAddrMasked, KeepsTheBitsOfThePrefixOnly) {
  EXPECT_EQ(addr(GetParam().addr).masked(GetParam().prefix).str(), GetParam().masked);
}

INSTANTIATE_TEST_SUITE_P(
    Masked, IpAddrMasked,
    testing::Values(Mask{"255.255.255.255", 0, "0.0.0.0"}, Mask{"255.255.255.255", 1, "128.0.0.0"},
                    Mask{"255.255.255.255", 8, "255.0.0.0"},
                    Mask{"255.255.255.255", 23, "255.255.254.0"},
                    Mask{"255.255.255.255", 31, "255.255.255.254"},
                    Mask{"255.255.255.255", 32, "255.255.255.255"},
                    Mask{"ffff:ffff:ffff::ffff", 0, "::"},
                    Mask{"ffff:ffff:ffff::ffff", 33, "ffff:ffff:8000::"},
                    Mask{"ffff:ffff:ffff::ffff", 128, "ffff:ffff:ffff::ffff"}));

TEST(IpNet, ReadsTheAddressAndItsPrefix) {
  const auto parsed = IpNet::parse("10.200.0.7/24");

  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->addr, addr("10.200.0.7"));
  EXPECT_EQ(parsed->prefix, 24u);
  EXPECT_EQ(parsed->str(), "10.200.0.7/24");
  EXPECT_EQ(parsed->network().str(), "10.200.0.0/24");
}

TEST(IpNet, ReadsTheShortestAndTheLongestPrefix) {
  for (const auto& text : {"0.0.0.0/0"s, "192.0.2.1/32"s, "::/0"s, "2001:db8::1/128"s}) {
    const auto parsed = IpNet::parse(text);

    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->str(), text);
  }
}

TEST(IpNet, RefusesWhatIsNoNetwork) {
  for (const auto& text :
       {""s, "/"s, "10.200.0.0"s, "10.200.0.0/"s, "/24"s, "10.200.0/24"s, "10.200.0.0/33"s,
        "10.200.0.0/-1"s, "10.200.0.0/+8"s, "10.200.0.0/ 8"s, "10.200.0.0/8 "s, " 10.200.0.0/8"s,
        "10.200.0.0/0x8"s, "10.200.0.0/24/24"s, "10.200.0.0/255.255.255.0"s,
        "10.200.0.0/99999999999999999999"s, "2001:db8::/129"s, "10.200.0.0/24\0"s,
        "10.200.0.0\0/24"s})
    EXPECT_FALSE(IpNet::parse(text)) << text;
}

TEST(IpNet, ContainsItsFirstAndLastAddressAndNoNeighbour) {
  const IpNet subnet = net("10.200.4.0/23");

  EXPECT_TRUE(subnet.contains(addr("10.200.4.0")));
  EXPECT_TRUE(subnet.contains(addr("10.200.5.255")));
  EXPECT_FALSE(subnet.contains(addr("10.200.3.255")));
  EXPECT_FALSE(subnet.contains(addr("10.200.6.0")));
}

TEST(IpNet, ContainsNothingOfTheOtherFamily) {
  EXPECT_FALSE(net("0.0.0.0/0").contains(addr("::")));
  EXPECT_FALSE(net("::/0").contains(addr("0.0.0.0")));
  EXPECT_FALSE(net("::/0").contains(net("10.0.0.0/8")));
  EXPECT_FALSE(net("0.0.0.0/0").overlaps(net("::/0")));
}

TEST(IpNet, ContainsItselfAndPartsButNotTheWhole) {
  const IpNet whole = net("10.200.0.0/16");

  EXPECT_TRUE(whole.contains(whole));
  EXPECT_TRUE(whole.contains(net("10.200.9.0/24")));
  EXPECT_FALSE(whole.contains(net("10.201.0.0/24")));
  EXPECT_FALSE(net("10.200.0.0/24").contains(whole));
}

TEST(IpNet, OverlapsInBothDirectionsWhateverTheHostBits) {
  const IpNet whole = net("10.200.77.1/16");
  const IpNet part = net("10.200.9.5/24");

  EXPECT_TRUE(whole.overlaps(part));
  EXPECT_TRUE(part.overlaps(whole));
  EXPECT_FALSE(part.overlaps(net("10.200.8.0/24")));
  EXPECT_FALSE(net("10.200.8.0/24").overlaps(part));
}

TEST(FirstOfEachFamily, KeepsTheirOrder) {
  const auto net = [](const char* text) { return IpNet::parse(text).value(); };

  EXPECT_EQ(first_of_each_family(std::vector{net("2001:db8::/64"), net("10.2.0.0/24"),
                                             net("10.1.0.0/24"), net("2001:db8:1::/64")}),
            (std::vector{net("2001:db8::/64"), net("10.2.0.0/24")}));
  EXPECT_EQ(first_of_each_family(std::vector{net("10.2.0.1/32").addr, net("10.1.0.1/32").addr}),
            std::vector{net("10.2.0.1/32").addr});
  EXPECT_TRUE(first_of_each_family(std::vector<IpNet>{}).empty());
}

}  // namespace
}  // namespace kubecni::test
