// Permanent neighbours: made, corrected, listed, deleted.

#include "net/neighbour.hpp"

#include "link_pair.hpp"

#include <algorithm>

namespace kubecni::test {
namespace {

class Neighbours : public LinkPair {
 protected:
  std::vector<Neighbour> listed() {
    auto all = must(list_permanent_neighbours(netlink, eth0));
    std::ranges::sort(all);
    return all;
  }

  const MacAddr mac{{0x0a, 0x58, 192, 0, 2, 7}};
  const MacAddr other_mac{{0x0a, 0x58, 192, 0, 2, 8}};
  unsigned eth0 = ifindex_of("eth0");
};

TEST_F(Neighbours, AreListedAsTheyWereMade) {
  const Neighbour v4{eth0, addr("192.0.2.7"), mac};
  const Neighbour v6{eth0, addr("fe80::858:c000:207"), mac};

  ASSERT_TRUE(ok(ensure_neighbour(netlink, v4)));
  ASSERT_TRUE(ok(ensure_neighbour(netlink, v6)));
  ASSERT_TRUE(ok(ensure_neighbour(netlink, v6)));

  EXPECT_EQ(listed(), (std::vector{v4, v6}));
}

TEST_F(Neighbours, LearnedOnesAndWrongMacsAreCorrected) {
  ASSERT_TRUE(ok(ping(here, addr("192.0.2.2"))));  // learns the real one
  const Neighbour learned{eth0, addr("192.0.2.2"), mac};
  ASSERT_TRUE(ok(ensure_neighbour(netlink, {eth0, addr("192.0.2.7"), other_mac})));
  const Neighbour changed{eth0, addr("192.0.2.7"), mac};

  ASSERT_TRUE(ok(ensure_neighbour(netlink, learned)));
  ASSERT_TRUE(ok(ensure_neighbour(netlink, changed)));

  EXPECT_EQ(listed(), (std::vector{learned, changed}));
}

TEST_F(Neighbours, ListSkipsOtherLinksLearnedOnesAndMulticast) {
  ASSERT_TRUE(ok(ping(here, addr("192.0.2.2"))));
  ip("link add other type veth peer name far && ip link set other up && ip link set far up");
  ip("neigh add 192.0.2.9 lladdr 0a:58:c0:00:02:09 dev other nud permanent");
  ip("neigh add ff02::9 lladdr 33:33:00:00:00:09 dev eth0 nud permanent");
  ip("neigh add 224.0.0.9 lladdr 01:00:5e:00:00:09 dev eth0 nud permanent");

  EXPECT_EQ(listed(), std::vector<Neighbour>{});
}

TEST_F(Neighbours, AreDeletedAlsoWhenTheyAreGone) {
  const Neighbour neighbour{eth0, addr("192.0.2.7"), mac};
  ASSERT_TRUE(ok(ensure_neighbour(netlink, neighbour)));

  ASSERT_TRUE(ok(delete_neighbour(netlink, neighbour)));
  EXPECT_EQ(listed(), std::vector<Neighbour>{});

  EXPECT_TRUE(ok(delete_neighbour(netlink, neighbour)));
  EXPECT_TRUE(ok(delete_neighbour(netlink, {eth0 + 1000, neighbour.addr, mac})));
}

TEST_F(Neighbours, OnALinkWithoutIpv6AreEinval) {
  ip("link set eth0 mtu 1000");  // too small for IPv6

  const auto made = ensure_neighbour(netlink, {eth0, addr("fe80::7"), mac});

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, EINVAL);
  EXPECT_THAT(made.error().what, testing::HasSubstr("fe80::7 at 0a:58:c0:00:02:07 on link"));
}

}  // namespace
}  // namespace kubecni::test
