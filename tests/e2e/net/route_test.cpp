// Routes as they are made and as they are read back, of every kind that the
// daemon makes.

#include "net/route.hpp"

#include "link_pair.hpp"
#include "net/address.hpp"
#include "net/vxlan.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

namespace kubecni::test {
namespace {

const IpNet kPods4 = net("10.1.2.0/24");
const IpNet kPods6 = net("2001:db8:1:2::/64");

class Routes : public LinkPair {
 protected:
  Routes() {
    here.enter([&] {
      auto own = must(NetlinkSocket::open());
      const VxlanSpec spec{
          .name = "kcni.vxlan", .mac = MacAddr::random(), .port = 8472, .mtu = 1430};
      tunnel = must(ensure_vxlan(own, spec)).ifindex;
    });
    eth0 = ifindex_of("eth0");
  }

  std::vector<Route> kinds_to(const IpNet& dst) const {
    const bool is_v4 = dst.addr.is_v4();
    const Route plain{.dst = dst,
                      .gateway = {},
                      .ifindex = eth0,
                      .protocol = kRouteProtocol,
                      .metric = is_v4 ? 0 : kDefaultMetric6,
                      .encap = {},
                      .source = {}};
    std::vector<Route> routes(8, plain);
    routes[1].gateway = is_v4 ? addr("192.0.2.2") : addr("2001:db8::2");
    routes[2].gateway = is_v4 ? addr("198.51.100.7") : addr("2001:db8:7::7");
    routes[2].onlink = true;
    routes[3].gateway = routes[1].gateway;
    routes[3].source = is_v4 ? addr("192.0.2.1") : addr("2001:db8::1");
    routes[4].ifindex = tunnel;
    routes[4].gateway = is_v4 ? addr("192.0.2.2") : addr("fe80::858:c000:202");
    routes[4].onlink = true;
    routes[4].encap = {addr("192.0.2.2"), 0xffffff};
    routes[5] = routes[4];
    routes[5].encap = {addr("2001:db8::2"), 1};
    routes[6] = routes[5];
    routes[6].gateway.reset();
    routes[6].onlink = false;
    routes[7].gateway = is_v4 ? addr("2001:db8::2") : addr("fe80::1");
    return routes;
  }

  std::vector<Route> routes_to(const IpNet& dst) {
    auto routes = must(list_routes(netlink));
    std::erase_if(routes, [&](const Route& route) { return route.dst != dst; });
    return routes;
  }

  unsigned eth0 = 0;
  unsigned tunnel = 0;
};

TEST_F(Routes, EveryKindIsReadBackAsMade) {
  for (const IpNet& dst : {kPods4, kPods6, net("0.0.0.0/0"), net("::/0")}) {
    for (const Route& route : kinds_to(dst)) {
      SCOPED_TRACE(ip("route show; ip -6 route show"));
      ASSERT_TRUE(ok(ensure_route(netlink, route)));
      EXPECT_EQ(routes_to(dst), std::vector{route});
      ASSERT_TRUE(ok(ensure_route(netlink, route)));
      EXPECT_EQ(routes_to(dst), std::vector{route});

      ASSERT_TRUE(ok(delete_route(netlink, route)));
      EXPECT_EQ(routes_to(dst), std::vector<Route>{});
      EXPECT_TRUE(ok(delete_route(netlink, route)));
    }
  }
}

TEST_F(Routes, OtherTablesAndMetricsAreReadBackAsMade) {
  for (Route route : {kinds_to(kPods4)[5], kinds_to(kPods6)[5]}) {
    route.table = 1000;
    route.metric = 7;

    ASSERT_TRUE(ok(ensure_route(netlink, route)));

    EXPECT_EQ(routes_to(route.dst), std::vector{route});
  }
}

TEST_F(Routes, TakeThePlaceOfARouteOfEveryOtherKind) {
  for (const IpNet& dst : {kPods4, kPods6}) {
    for (const Route& before : kinds_to(dst)) {
      for (const Route& after : kinds_to(dst)) {
        ASSERT_TRUE(ok(ensure_route(netlink, before)));

        ASSERT_TRUE(ok(ensure_route(netlink, after)));

        ASSERT_EQ(routes_to(dst), std::vector{after});
      }
    }
  }
}

/// Looks for a route to an address of `dst` again and again, until it is destroyed.
class Traveller {
 public:
  Traveller(const NetNs& netns, const IpNet& dst)
      : thread_([this, &netns, dst] { netns.enter([&] { travel(dst.addr.plus(9)); }); }) {}
  ~Traveller() {
    if (thread_.joinable()) finish();
  }

  void finish() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] unsigned departures() const { return departures_; }
  std::atomic<int> error = 0;  ///< the last one
  std::atomic<unsigned> failures = 0;

 private:
  void travel(const IpAddr& to) {
    while (!stop_) {
      const UniqueFd fd(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in v4{};
      sockaddr_in6 v6{};
      v4.sin_family = AF_INET;
      v6.sin6_family = AF_INET6;
      v4.sin_port = v6.sin6_port = htons(9);
      std::memcpy(to.is_v4() ? static_cast<void*>(&v4.sin_addr) : &v6.sin6_addr, to.data(),
                  to.bytes());
      const auto* address = to.is_v4() ? reinterpret_cast<const sockaddr*>(&v4)
                                       : reinterpret_cast<const sockaddr*>(&v6);
      const socklen_t size = to.is_v4() ? sizeof(v4) : sizeof(v6);
      if (::connect(fd.get(), address, size) != 0) {
        error = errno;
        ++failures;
      }
      ++departures_;
    }
  }

  std::atomic<bool> stop_ = false;
  std::atomic<unsigned> departures_ = 0;
  std::thread thread_;
};

TEST_F(Routes, AreReplacedWithoutAMomentWithoutARoute) {
  for (const IpNet& dst : {kPods4, kPods6}) {
    const auto kinds = kinds_to(dst);
    ASSERT_TRUE(ok(ensure_route(netlink, kinds[0])));
    Traveller traveller(here, dst);

    const bool often = eventually([&] {
      for (const Route& route : kinds) must(ensure_route(netlink, route));
      return traveller.departures() > 2000;
    });

    traveller.finish();
    EXPECT_TRUE(often) << traveller.departures();
    // One in 150 runs had a single failure: probably a lookup that was interrupted, and then found
    // the old route given up. With a deletion before each replacement there were 62 to 95.
    EXPECT_LE(traveller.failures, 1u) << std::strerror(traveller.error) << " to " << dst.str();
  }
}

TEST_F(Routes, AreAddedOnlyWhereThereIsNone) {
  for (const IpNet& dst : {kPods4, kPods6}) {
    const auto kinds = kinds_to(dst);
    ASSERT_TRUE(ok(add_route(netlink, kinds[1])));

    const auto again = add_route(netlink, kinds[2]);

    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, EEXIST);
    EXPECT_EQ(routes_to(dst), std::vector{kinds[1]});
  }
}

TEST_F(Routes, OneThatGoesBeforeAnotherLeavesItThere) {
  const auto kinds = kinds_to(kPods4);
  ASSERT_TRUE(ok(add_route(netlink, kinds[1])));

  ASSERT_TRUE(ok(prepend_route4(netlink, kinds[0])));

  EXPECT_EQ(routes_to(kPods4), (std::vector{kinds[0], kinds[1]}));
  const auto again = prepend_route4(netlink, kinds[0]);
  EXPECT_TRUE(!again && again.error().code == EEXIST);
}

TEST_F(Routes, AnIpv6GatewayOfAnotherLinkIsRefusedAlsoOnlink) {
  Route route = kinds_to(kPods6)[4];
  route.gateway = addr("2001:db8::2");

  const auto made = ensure_route(netlink, route);

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, EINVAL);
  EXPECT_THAT(made.error().what, testing::HasSubstr("via 2001:db8::2 dev"));
}

TEST_F(Routes, ATunnelledRouteSendsWithItsKeyAndWithoutAChecksum) {
  ip("neigh add 192.0.2.2 lladdr 0a:58:c0:00:02:02 dev kcni.vxlan nud permanent");
  Node::must_run_in(there, {"nft",
                            "table inet strict { chain in { type filter hook input priority 0;"
                            " udp dport 8472 udp checksum != 0 drop; }; }"});
  for (const std::string remote : {"192.0.2.2", "2001:db8::2"}) {
    // The other side decapsulates what arrives with the right number.
    run_ip(there, "link add in type vxlan id 77 dstport 8472 udp6zerocsumrx local " + remote);
    run_ip(there, "link set in address 0a:58:c0:00:02:02");
    run_ip(there, "addr add 10.1.2.9/32 dev in");
    run_ip(there, "link set in up");
    Route route = kinds_to(kPods4)[4];
    route.encap = {addr(remote), 77};
    route.source = addr("192.0.2.1");
    ASSERT_TRUE(ok(ensure_route(netlink, route)));

    EXPECT_TRUE(ok(ping(here, addr("10.1.2.9")))) << remote;
    run_ip(there, "link delete in");
  }
}

class NextHops : public LinkPair {
 protected:
  NextHops() {
    ip("addr add 198.51.100.1/32 dev lo");
    ip("addr add 2001:db8:7::1/128 dev lo");
  }

  std::optional<NextHop> next_hop(const std::string& to, std::optional<IpAddr> source = {}) {
    return must(find_next_hop(netlink, addr(to), source));
  }

  unsigned eth0 = ifindex_of("eth0");
};

TEST_F(NextHops, AreOnTheLinkOrBehindARouterOrNowhere) {
  ip("route add 203.0.113.0/24 via 192.0.2.2");
  ip("route add 10.9.0.0/16 via inet6 2001:db8::2 dev eth0");
  ip("route add 2001:db8:9::/48 via 2001:db8::2");
  ip("route add unreachable 10.8.0.0/16");
  ip("route add blackhole 2001:db8:8::/48");

  EXPECT_EQ(next_hop("192.0.2.7"), (NextHop{eth0, {}, addr("192.0.2.1")}));
  EXPECT_EQ(next_hop("203.0.113.9"), (NextHop{eth0, addr("192.0.2.2"), addr("192.0.2.1")}));
  EXPECT_EQ(next_hop("10.9.1.1")->gateway, addr("2001:db8::2"));
  EXPECT_EQ(next_hop("2001:db8::7"), (NextHop{eth0, {}, addr("2001:db8::1")}));
  EXPECT_EQ(next_hop("2001:db8:9::9")->gateway, addr("2001:db8::2"));
  for (const char* nowhere : {"10.8.1.1", "10.7.1.1", "2001:db8:8::1", "2001:db8:6::1"})
    EXPECT_FALSE(next_hop(nowhere)) << nowhere;
  for (const char* own : {"192.0.2.1", "198.51.100.1", "2001:db8::1", "2001:db8:7::1"})
    EXPECT_FALSE(next_hop(own)) << own;
}

TEST_F(NextHops, FollowRulesAlsoThoseForASource) {
  ip("rule add from 198.51.100.1 lookup 100");
  ip("route add 192.0.2.7 via 192.0.2.2 dev eth0 table 100");
  ip("-6 rule add to 2001:db8::7 lookup 100");
  ip("route add 2001:db8::7 via 2001:db8::2 dev eth0 table 100");

  EXPECT_FALSE(next_hop("192.0.2.7")->gateway);
  EXPECT_EQ(next_hop("192.0.2.7", addr("198.51.100.1"))->gateway, addr("192.0.2.2"));
  EXPECT_EQ(next_hop("2001:db8::7")->gateway, addr("2001:db8::2"));
  EXPECT_FALSE(next_hop("192.0.2.7", addr("192.0.2.99"))) << "not an address of this node";
}

}  // namespace
}  // namespace kubecni::test
