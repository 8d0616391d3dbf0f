// Routing rules: made once, found by their protocol, deleted.

#include "net/rule.hpp"

#include "link_pair.hpp"
#include "net/route.hpp"

#include <sys/socket.h>

#include <algorithm>

namespace kubecni::test {
namespace {

class Rules : public LinkPair {
 protected:
  static Rule rule(int family) {
    return {.family = family,
            .iif = "eth0",
            .from = family == AF_INET ? IpNet::parse("10.1.0.0/24") : std::nullopt,
            .table = 1084,
            .priority = 1000,
            .protocol = kRouteProtocol};
  }

  std::vector<Rule> listed() {
    auto all = must(list_rules(netlink, kRouteProtocol));
    std::ranges::sort(all);
    return all;
  }
};

TEST_F(Rules, AreMadeOnceAndListedAsTheyWereMade) {
  for (unsigned round = 0; round < 2; ++round) {
    ASSERT_TRUE(ok(ensure_rule(netlink, rule(AF_INET))));
    ASSERT_TRUE(ok(ensure_rule(netlink, rule(AF_INET6))));
  }

  EXPECT_EQ(listed(), (std::vector{rule(AF_INET), rule(AF_INET6)}));
}

TEST_F(Rules, MayBeForMarkedPackets) {
  Rule marked = rule(AF_INET);
  marked.mark = 0x04000000;
  ASSERT_TRUE(ok(ensure_rule(netlink, rule(AF_INET))));
  ASSERT_TRUE(ok(ensure_rule(netlink, marked)));

  EXPECT_EQ(listed(), (std::vector{rule(AF_INET), marked}));
  EXPECT_THAT(ip("rule show"), testing::HasSubstr("fwmark 0x4000000/0x4000000"));
  ASSERT_TRUE(ok(delete_rule(netlink, marked)));
  EXPECT_EQ(listed(), std::vector{rule(AF_INET)});
}

TEST_F(Rules, ForeignOnesAreNotListedAndStay) {
  ip("rule add iif eth0 lookup 1084 pref 1000 proto 3");

  EXPECT_EQ(listed(), std::vector<Rule>{});
  ASSERT_TRUE(ok(ensure_rule(netlink, rule(AF_INET))));
  ASSERT_EQ(listed(), std::vector{rule(AF_INET)});
  ASSERT_TRUE(ok(delete_rule(netlink, rule(AF_INET))));

  EXPECT_EQ(listed(), std::vector<Rule>{});
  EXPECT_THAT(ip("rule show"), testing::HasSubstr("from all iif eth0 lookup 1084 proto boot"));
}

TEST_F(Rules, AreDeletedAlsoWhenTheyAreGone) {
  ASSERT_TRUE(ok(ensure_rule(netlink, rule(AF_INET6))));

  ASSERT_TRUE(ok(delete_rule(netlink, rule(AF_INET6))));

  EXPECT_EQ(listed(), std::vector<Rule>{});
  EXPECT_TRUE(ok(delete_rule(netlink, rule(AF_INET6))));
}

}  // namespace
}  // namespace kubecni::test
