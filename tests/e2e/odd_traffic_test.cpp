// What is not plain TCP, UDP and echoes arrives on either path, directly and through the tunnel,
// beside rules that drop what conntrack calls invalid.

#include "odd_socket.hpp"
#include "paths.hpp"
#include "support/capture.hpp"
#include "support/traffic.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/udp.h>

#include <array>
#include <cstring>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kPort = 5310;
constexpr std::uint8_t kGre = IPPROTO_GRE, kSctp = IPPROTO_SCTP, kEsp = IPPROTO_ESP;

/// Packets of one kind, from one pod to another.
struct Kind {
  std::string name;
  int type = SOCK_DGRAM;
  int protocol = 0;  ///< of a raw socket
  Frame bytes = pattern(16);
  void (*prepare)(const OddSocket&, int family) = nullptr;
  std::size_t datagrams = 1;  ///< into which `bytes` are cut
  bool by_ebpf = false;       ///< where there is eBPF
};

/// Record route and padding; destination options for IPv6.
void add_options(const OddSocket& socket, int family) {
  const std::array<std::uint8_t, 8> record_route{7, 7, 4, 0, 0, 0, 0, 1};
  const std::array<std::uint8_t, 8> pad{0, 0, 1, 4, 0, 0, 0, 0};
  if (family == AF_INET)
    socket.set(IPPROTO_IP, IP_OPTIONS, record_route);
  else
    socket.set(IPPROTO_IPV6, IPV6_DSTOPTS, pad);
}

void cut_into_segments(const OddSocket& socket, int) { socket.set(IPPROTO_UDP, UDP_SEGMENT, 1000); }

/// What follows the IP header of a packet that opens an association.
Frame sctp_init(int family) {
  const Frame frame = ip_packet({.family = family, .protocol = kSctp, .dst_port = kPort});
  return {frame.begin() + ETH_HLEN + (family == AF_INET ? 20 : 40), frame.end()};
}

/// An IP packet, for a tunnel that the pods make themselves.
Frame inner_packet(int family) {
  const Frame frame = ip_packet({.family = family});
  return {frame.begin() + ETH_HLEN, frame.end()};
}

std::vector<Kind> kinds(int family) {
  Frame gre{0, 0, 8, 0};  // neither key nor checksum, and IPv4 follows
  for (const std::uint8_t byte : inner_packet(AF_INET)) gre.push_back(byte);
  return {
      {.name = "fragments", .bytes = pattern(4000)},
      {.name = "UDP of 64 KiB", .bytes = pattern(65507)},
      {.name = "IP options", .prepare = add_options},
      {.name = "segments of UDP",
       .bytes = pattern(40'000),
       .prepare = cut_into_segments,
       .datagrams = 40,
       .by_ebpf = true},
      {.name = "SCTP",
       .type = SOCK_RAW,
       .protocol = kSctp,
       .bytes = sctp_init(family),
       .by_ebpf = true},
      {.name = "GRE", .type = SOCK_RAW, .protocol = kGre, .bytes = gre},
      {.name = "IP in IP",
       .type = SOCK_RAW,
       .protocol = family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6,
       .bytes = inner_packet(family)},
      {.name = "ESP", .type = SOCK_RAW, .protocol = kEsp, .bytes = pattern(64)},
  };
}

class OddTraffic
    : public testing::TestWithParam<std::tuple<std::string /*dataplane*/, std::string /*way*/>> {
 protected:
  OddTraffic() {
    for (const Node* node : {&cluster.a, &cluster.b})
      node->must_run({"nft",
                      "table inet strict { chain forward { type filter hook forward"
                      " priority 0; ct state invalid counter drop; }; }"});
    for (const int family : {AF_INET, AF_INET6})
      must(ping(cluster.pod_a->netns, cluster.pod_b->address_of(family)));
  }

  static void expect_arrival(const Kind& kind, const Pod& from, const Pod& to, int family) {
    const OddSocket receiver(to.netns, family, kind.type, kind.protocol,
                             kind.type == SOCK_RAW ? 0 : kPort);
    const OddSocket sender(from.netns, family, kind.type, kind.protocol);
    if (kind.prepare) kind.prepare(sender, family);

    ASSERT_TRUE(
        ok(sender.send(to.address_of(family), kind.type == SOCK_RAW ? 0 : kPort, kind.bytes)));

    Frame arrived;
    for (std::size_t i = 0; i < kind.datagrams; ++i) {
      const Frame datagram = receiver.receive();
      EXPECT_EQ(datagram.size(), kind.bytes.size() / kind.datagrams);
      arrived.insert(arrived.end(), datagram.begin(), datagram.end());
      if (HasFailure()) break;
    }
    EXPECT_TRUE(arrived == kind.bytes);
  }

  const bool tunnel = std::get<1>(GetParam()) == "vxlan";
  Cluster cluster{{.dataplane = std::get<0>(GetParam()),
                   .families = Families::kDual,
                   .routing = {std::get<1>(GetParam())}}};
  const Pod& a = *cluster.pod_a;
  const Pod& b = *cluster.pod_b;
  const Pod other = cluster.add_pod(cluster.a, "pod-other");

  void expect_arrival_on_another_node() {
    for (const int family : {AF_INET, AF_INET6}) {
      for (const Kind& kind : kinds(family)) {
        SCOPED_TRACE(kind.name + (family == AF_INET ? ", v4" : ", v6"));
        const auto send = [&] { expect_arrival(kind, a, b, family); };
        if (!kind.by_ebpf || !cluster.a.is_ebpf()) {
          send();
          continue;
        }
        const auto before = cluster.a.counters();
        send();
        const auto after = cluster.a.counters();
        EXPECT_GE(grown(before, after, path_reasons(tunnel).fast_out), 1u) << growth(before, after);
        EXPECT_EQ(grown(before, after, path_reasons(tunnel).kernel_out), 0u)
            << growth(before, after);
      }
    }
  }

  void expect_arrival_on_this_node() {
    for (const int family : {AF_INET, AF_INET6}) {
      for (const Kind& kind : kinds(family)) {
        SCOPED_TRACE(kind.name + (family == AF_INET ? ", v4" : ", v6"));
        expect_arrival(kind, a, other, family);
      }
    }
  }

  void expect_itself_and_its_node() {
    for (const int family : {AF_INET, AF_INET6}) {
      SCOPED_TRACE(family);
      EXPECT_TRUE(ok(udp_echo(a.netns, a.netns, a.address_of(family))));
      EXPECT_TRUE(ok(tcp_transfer(a.netns, a.netns, a.address_of(family))));
      EXPECT_TRUE(ok(udp_echo(a.netns, cluster.a.netns, cluster.a.gateway(family))));
      for (const IpAddr& node : {cluster.a.gateway(family), cluster.member(0).address_of(family)}) {
        EXPECT_TRUE(ok(ping(a.netns, node)));
        EXPECT_TRUE(ok(tcp_transfer(a.netns, cluster.a.netns, node)));
      }
    }
  }

  /// The nodes between two pods, as traceroute(8) finds them by UDP and by echoes.
  void expect_nodes_where_hops_end() {
    for (const int family : {AF_INET, AF_INET6}) {
      const std::array<std::vector<IpAddr>, 2> nodes{
          std::vector{cluster.a.gateway(family), cluster.member(0).address_of(family)},
          std::vector{cluster.b.gateway(family), cluster.member(1).address_of(family)}};
      for (int hops = 1; hops <= 2; ++hops) {
        SCOPED_TRACE(std::to_string(hops) + (family == AF_INET ? " hops, v4" : " hops, v6"));
        const auto& wanted = nodes[static_cast<std::size_t>(hops) - 1];
        const OddSocket sender(a.netns, family, SOCK_DGRAM, 0);
        sender.want_errors();
        sender.set_hops(hops);
        ASSERT_TRUE(ok(sender.send(b.address_of(family), kPort, pattern(16))));
        const auto error = sender.next_error();
        ASSERT_TRUE(error) << "nobody answers";
        EXPECT_EQ(error->code, EHOSTUNREACH);
        EXPECT_THAT(wanted, testing::Contains(error->from)) << error->from.str();

        const std::string said = run({.argv = {"ping", "-n", "-c", "1", "-W", "3", "-t",
                                               std::to_string(hops), b.address_of(family).str()},
                                      .netns_fd = a.netns.fd()})
                                     .out;
        EXPECT_THAT(said, testing::HasSubstr("From " + error->from.str() + " ")) << said;
      }
    }
  }

  void expect_multicast_and_broadcast() {
    const auto arrives = [&](int family, const std::string& to, auto prepare) {
      const OddSocket receiver(other.netns, family, SOCK_DGRAM, 0, kPort);
      const OddSocket sender(a.netns, family, SOCK_DGRAM, 0);
      prepare(receiver, sender);
      EXPECT_TRUE(ok(sender.send(IpAddr::parse(to).value(), kPort, pattern(100))));
      return receiver.receive() == pattern(100);
    };

    EXPECT_TRUE(arrives(AF_INET, "10.200.1.255", [](const auto&, const auto& sender) {
      sender.set(SOL_SOCKET, SO_BROADCAST, 1);
    }));
    EXPECT_TRUE(arrives(AF_INET, "239.1.2.3", [&](const auto& receiver, const auto&) {
      ip_mreq group{};
      ::inet_pton(AF_INET, "239.1.2.3", &group.imr_multiaddr);
      std::memcpy(&group.imr_interface, other.address_of(AF_INET).data(), 4);
      receiver.set(IPPROTO_IP, IP_ADD_MEMBERSHIP, group);
    }));
    EXPECT_TRUE(arrives(AF_INET6, "ff05::1:3", [&](const auto& receiver, const auto& sender) {
      const auto index_in = [](const Pod& pod) {
        int index = 0;
        pod.netns.enter([&] { index = static_cast<int>(::if_nametoindex("eth0")); });
        return index;
      };
      ipv6_mreq group{};
      ::inet_pton(AF_INET6, "ff05::1:3", &group.ipv6mr_multiaddr);
      group.ipv6mr_interface = static_cast<unsigned>(index_in(other));
      receiver.set(IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, group);
      sender.set(IPPROTO_IPV6, IPV6_MULTICAST_IF, index_in(a));
    }));
  }

  /// Each has a MAC or a tag that is not the pod's.
  void expect_no_sub_interfaces() {
    ASSERT_TRUE(eventually([&] { return is_guarded(cluster.a, a); }));
    Capture heard(other.netns, "eth0");
    const auto before = cluster.a.is_ebpf() ? cluster.a.counters() : ExitCounts{};

    Node::must_run_in(a.netns, {"sh", "-ec",
                                "ip link add own link eth0 address 02:00:00:00:00:77 type macvlan;"
                                " ip addr add 10.200.1.77/24 dev own; ip link set own up"});
    const Outcome pinged =
        run({.argv = {"ping", "-c", "1", "-W", "1", "-I", "own", other.address_of(AF_INET).str()},
             .netns_fd = a.netns.fd()});
    const std::array<std::uint16_t, 1> tag{ETH_P_8021Q};
    send_frame(
        a.netns, "eth0",
        with_tags(ethernet_frame("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:78", ETH_P_IP, 60), tag, 5));
    EXPECT_TRUE(ok(ping(a.netns, other.address_of(AF_INET))));  // arrives last

    EXPECT_NE(pinged.status, 0);
    const auto frames = heard.frames();
    EXPECT_FALSE(frames.empty());
    for (const WireFrame& frame : frames)
      EXPECT_THAT(frame.outer.src_mac.str(), testing::Not(testing::StartsWith("02:00:00:00:00:7")));
    if (!cluster.a.is_ebpf()) return;
    const auto after = cluster.a.counters();
    EXPECT_GE(grown(before, after, KUBECNI_DROP_SPOOFED_ARP) +
                  grown(before, after, KUBECNI_DROP_SPOOFED_MAC),
              1u)
        << growth(before, after);
    EXPECT_GE(grown(before, after, KUBECNI_DROP_TAGGED), 1u) << growth(before, after);
  }
};

TEST_P(OddTraffic, IsRight) {
  expect_arrival_on_another_node();
  expect_arrival_on_this_node();
  expect_itself_and_its_node();
  expect_nodes_where_hops_end();
  expect_multicast_and_broadcast();
  expect_no_sub_interfaces();
}

INSTANTIATE_TEST_SUITE_P(By, OddTraffic,
                         testing::Combine(testing::Values("ebpf", "bridge"),
                                          testing::Values("direct", "vxlan")),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) + "_" + std::get<1>(tested.param);
                         });

}  // namespace
}  // namespace kubecni::test
