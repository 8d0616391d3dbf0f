// UDP flows that the kernel translates, and which of them are forgotten.

#include "net/conntrack.hpp"

#include "link_pair.hpp"
#include "support/udp.hpp"

#include <sys/socket.h>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kPort = 5353;

/// `here` is the client, and translates 198.51.100.1 and 2001:db8:f::1 to `there`.
class Conntrack : public LinkPair {
 protected:
  Conntrack() {
    ip("route add 198.51.100.0/24 via 192.0.2.2 && ip -6 route add 2001:db8:f::/64 via "
       "2001:db8::2");
    translate_to("192.0.2.2", "2001:db8::2");
  }

  void translate_to(const std::string& v4, const std::string& v6) {
    Node::must_run_in(here, {"nft",
                             "table inet proxy; delete table inet proxy; table inet proxy {"
                             " chain out { type nat hook output priority -100;"
                             " ip daddr 198.51.100.1 dnat ip to " +
                                 v4 + "; ip6 daddr 2001:db8:f::1 dnat ip6 to " + v6 + "; }; }"});
  }

  Result<Datagram> call(const UdpSocket& client, const std::string& to) {
    const UdpSocket server(there, addr(to).family(), kPort);
    return ask(client, server, addr(to), kPort, "hello");
  }

  unsigned forget_to(const std::string& pod) {
    unsigned count = 0;
    here.enter([&] { count = must(forget_udp_flows_to(addr(pod))); });
    return count;
  }

  std::string flows() { return Node::must_run_in(here, {"cat", "/proc/net/nf_conntrack"}); }

  UdpSocket client4{here, AF_INET, 40004};
  UdpSocket client6{here, AF_INET6, 40006};
};

TEST_F(Conntrack, ForgetsWhatIsTranslatedToThePod) {
  ASSERT_TRUE(call(client4, "198.51.100.1"));
  ASSERT_TRUE(call(client6, "2001:db8:f::1"));

  EXPECT_EQ(forget_to("192.0.2.2"), 1u);
  EXPECT_EQ(forget_to("2001:db8::2"), 1u);

  EXPECT_THAT(flows(), testing::Not(testing::HasSubstr("port=40004"))) << flows();
  EXPECT_THAT(flows(), testing::Not(testing::HasSubstr("port=40006"))) << flows();
}

TEST_F(Conntrack, KeepsWhatGoesToThePodItselfAndToOthers) {
  const UdpSocket direct(here, AF_INET, 40001);
  const UdpSocket direct6(here, AF_INET6, 40002);
  ASSERT_TRUE(call(direct, "192.0.2.2"));
  ASSERT_TRUE(call(direct6, "2001:db8::2"));
  ASSERT_TRUE(call(client4, "198.51.100.1"));
  ASSERT_TRUE(call(client6, "2001:db8:f::1"));

  EXPECT_EQ(forget_to("192.0.2.3"), 0u);
  EXPECT_EQ(forget_to("2001:db8::3"), 0u);
  EXPECT_EQ(forget_to("192.0.2.2"), 1u);
  EXPECT_EQ(forget_to("2001:db8::2"), 1u);

  EXPECT_THAT(flows(), testing::HasSubstr("sport=40001")) << flows();
  EXPECT_THAT(flows(), testing::HasSubstr("sport=40002")) << flows();
}

TEST_F(Conntrack, KeepsOtherProtocols) {
  Node::must_run_in(here,
                    {"nft", "add rule inet proxy out ip daddr 198.51.100.9 dnat ip to 192.0.2.2"});
  ASSERT_TRUE(ok(ping(here, addr("198.51.100.9"))));

  EXPECT_EQ(forget_to("192.0.2.2"), 0u);

  EXPECT_THAT(flows(), testing::HasSubstr("dst=198.51.100.9")) << flows();
}

TEST_F(Conntrack, LetsAFlowGoOnToWhereItIsTranslatedNow) {
  ASSERT_TRUE(call(client4, "198.51.100.1"));
  run_ip(there, "addr del 192.0.2.2/24 dev eth0 && ip addr add 192.0.2.3/24 dev eth0");
  translate_to("192.0.2.3", "2001:db8::3");
  ASSERT_FALSE(call(client4, "198.51.100.1")) << "the flow keeps its first translation";

  EXPECT_EQ(forget_to("192.0.2.2"), 1u);

  EXPECT_TRUE(call(client4, "198.51.100.1"));
}

TEST_F(Conntrack, ShowsTheFlowsOfAFamilyAndForgetsWhatIsStale) {
  ASSERT_TRUE(call(client4, "198.51.100.1"));
  ASSERT_TRUE(call(client6, "2001:db8:f::1"));
  std::vector<UdpFlow> seen;

  unsigned forgotten = 0;
  here.enter([&] {
    forgotten = must(forget_udp_flows(AF_INET, [&](const UdpFlow& flow) {
      seen.push_back(flow);
      return true;
    }));
  });

  EXPECT_EQ(forgotten, 1u);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].source, addr("192.0.2.1"));
  EXPECT_EQ(seen[0].destination, addr("198.51.100.1"));
  EXPECT_EQ(seen[0].answered_by, addr("192.0.2.2"));
  EXPECT_EQ(seen[0].answered_to, addr("192.0.2.1"));
  EXPECT_THAT(flows(), testing::HasSubstr("sport=40006")) << flows();
}

TEST_F(Conntrack, ForgetsFlowsOfAZone) {
  Node::must_run_in(here, {"nft",
                           "table inet zones { chain out { type filter hook output priority raw;"
                           " ct zone set 7; }; chain in { type filter hook prerouting priority raw;"
                           " ct zone set 7; }; }"});
  ASSERT_TRUE(call(client4, "198.51.100.1"));
  ASSERT_THAT(flows(), testing::HasSubstr("zone=7"));

  EXPECT_EQ(forget_to("192.0.2.2"), 1u);

  EXPECT_THAT(flows(), testing::Not(testing::HasSubstr("sport=40004"))) << flows();
}

TEST_F(Conntrack, IsFineWhereThereIsNone) {
  const NetNs quiet("quiet");

  quiet.enter([] { EXPECT_EQ(must(forget_udp_flows_to(addr("192.0.2.2"))), 0u); });
}

}  // namespace
}  // namespace kubecni::test
