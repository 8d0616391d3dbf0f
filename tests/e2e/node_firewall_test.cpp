// Masquerade and the tunnel's guard on one node: the address that a server sees, and that
// restoring, changing and removing the table affects nothing else.

#include "control/firewall/node_firewall.hpp"

#include "expect.hpp"
#include "net/sysctl.hpp"
#include "support/ip.hpp"
#include "support/udp.hpp"

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <tuple>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint16_t kPort = 7000;
constexpr std::uint16_t kTunnelPort = 8472;

/// A pod behind a node. One namespace plays another node with a pod, an exempt host, and an outside
/// host.
class NodeFirewallTest : public testing::Test {
 protected:
  NodeFirewallTest() {
    for (const NetNs* netns : {&node, &pod, &world}) skip_address_detection(*netns);
    connect(pod, "eth0", "pods", {"10.200.0.5/24", "2001:db8:200::5/64"},
            {"10.200.0.1/24", "2001:db8:200::1/64"});
    connect(world, "eth0", "eth0",
            {"192.0.2.2/24", "10.200.1.9/32", "203.0.113.9/32", "198.51.100.7/32", "2001:db8::2/64",
             "2001:db8:201::9/128", "2001:db8:cb::9/128", "2001:db8:f::7/128"},
            {"192.0.2.1/24", "2001:db8::1/64"});
    sh(pod, "ip route add default via 10.200.0.1; ip -6 route add default via 2001:db8:200::1");
    sh(node, "ip route add default via 192.0.2.2; ip -6 route add default via 2001:db8::2");
    sh(world, "ip route add 10.200.0.0/24 via 192.0.2.1");
    sh(world, "ip -6 route add 2001:db8:200::/64 via 2001:db8::1");
    node.enter([&] {
      must(ensure_sysctl("net/ipv4/ip_forward", "1"));
      must(ensure_sysctl("net/ipv6/conf/all/forwarding", "1"));
      firewall.emplace(must(NodeFirewall::open()));
    });
  }

  /// Also for link-local addresses: a node sends no neighbour requests before that has ended.
  static void skip_address_detection(const NetNs& netns) {
    netns.enter([] { must(ensure_sysctl("net/ipv6/conf/default/accept_dad", "0")); });
  }

  /// Joins `peer` to the node, each with these addresses.
  void connect(const NetNs& peer, const std::string& peer_link, const std::string& link,
               const std::vector<std::string>& peers, const std::vector<std::string>& nodes) {
    sh(node, "ip link add " + link + " type veth peer name " + peer_link + " netns " + peer.name());
    for (const auto& address : peers) give(peer, peer_link, address);
    for (const auto& address : nodes) give(node, link, address);
    sh(peer, "ip link set " + peer_link + " up");
    sh(node, "ip link set " + link + " up");
  }

  static void give(const NetNs& netns, const std::string& link, const std::string& address) {
    const bool is_v6 = address.find(':') != std::string::npos;
    sh(netns, "ip addr add " + address + " dev " + link + (is_v6 ? " nodad" : ""));
  }

  static std::string sh(const NetNs& netns, const std::string& command) {
    return Node::must_run_in(netns, {"sh", "-ec", command});
  }

  std::vector<std::string> sync() {
    std::vector<std::string> changes;
    node.enter([&] { changes = must(firewall->sync(spec)); });
    return changes;
  }

  /// The source address that a server at `to` sees.
  std::string seen_at(const std::string& to) {
    const UdpSocket client(pod, addr(to).family());
    const UdpSocket server(world, addr(to), kPort);
    const auto question = ask(client, server, addr(to), kPort, "hello");
    return question ? question->from.str() : question.error().what;
  }

  /// The rules with their handles, which change when a rule is recreated.
  std::string rules() { return sh(node, "nft -a -t list table inet kube-cni"); }

  NetNs node{"node"};
  NetNs pod{"pod"};
  NetNs world{"world"};
  FirewallSpec spec{
      .masquerade = true,
      .own_pods = {net("10.200.0.0/24"), net("2001:db8:200::/64")},
      .cluster_pods = {net("10.200.0.0/24"), net("10.200.1.0/24"), net("2001:db8:200::/64"),
                       net("2001:db8:201::/64")},
      .nodes = {addr("192.0.2.1"), addr("192.0.2.2"), addr("2001:db8::1"), addr("2001:db8::2")},
      .tunnel_peers = {addr("192.0.2.2"), addr("2001:db8::2")},
      .exceptions = {net("203.0.113.0/24"), net("203.0.113.9/32"), net("2001:db8:cb::/48")},
      .tunnel = {kTunnelPort, 84},
      .guards_tunnel = false};
  std::optional<NodeFirewall> firewall;
};

TEST_F(NodeFirewallTest, TheOutsideSeesTheNode) {
  ASSERT_EQ(seen_at("198.51.100.7"), "10.200.0.5");

  EXPECT_THAT(sync(), testing::Contains("nftables table inet kube-cni made"));

  EXPECT_EQ(seen_at("198.51.100.7"), "192.0.2.1");
  EXPECT_EQ(seen_at("2001:db8:f::7"), "2001:db8::1");
}

TEST_F(NodeFirewallTest, PodsNodesAndExceptionsSeeThePod) {
  sync();

  for (const char* to : {"10.200.1.9", "192.0.2.2", "203.0.113.9"})
    EXPECT_EQ(seen_at(to), "10.200.0.5") << to;
  for (const char* to : {"2001:db8:201::9", "2001:db8::2", "2001:db8:cb::9"})
    EXPECT_EQ(seen_at(to), "2001:db8:200::5") << to;
}

TEST_F(NodeFirewallTest, NobodysTunnelHearsThePodAsTheNode) {
  sync();

  for (const char* to : {"198.51.100.7", "2001:db8:f::7"}) {
    ASSERT_NE(seen_at(to), "") << "the neighbours are known from here on";
    const UdpSocket tunnel(world, addr(to), kTunnelPort);
    must(UdpSocket(pod, addr(to).family()).send(addr(to), kTunnelPort, "as the node"));
    EXPECT_EQ(tunnel.receive(std::chrono::milliseconds(300)).error().code, ETIMEDOUT);
  }

  EXPECT_EQ(sh(node, "nft list table inet kube-cni | grep -c 'dport 8472 counter packets 1 '"),
            "2\n");
}

TEST_F(NodeFirewallTest, EverythingMayBeAnException) {
  spec.exceptions = {net("0.0.0.0/0"), net("::/0"), net("203.0.113.0/24")};
  sync();

  EXPECT_EQ(seen_at("198.51.100.7"), "10.200.0.5");
  EXPECT_EQ(seen_at("2001:db8:f::7"), "2001:db8:200::5");
}

TEST_F(NodeFirewallTest, ThePortIsRandomSoThatTwoPodsNeverWantTheSame) {
  sync();
  const UdpSocket server(world, addr("198.51.100.7"), kPort);
  unsigned kept = 0;
  for (std::uint16_t port = 40000; port < 40008; ++port) {
    const UdpSocket client(pod, AF_INET, port);
    const auto question = ask(client, server, addr("198.51.100.7"), kPort, "hello");
    ASSERT_TRUE(question) << question.error().what;
    kept += question->port == port ? 1 : 0;
  }

  EXPECT_LT(kept, 8u);
}

TEST_F(NodeFirewallTest, AServiceIsMasqueradedByWhereItLeads) {
  for (const char* iptables : {"iptables-nft", "iptables-legacy"}) {
    const std::string dnat = std::string(iptables) + " -t nat -A PREROUTING -p udp -d 10.96.0.";
    sh(node, dnat + "1 -j DNAT --to-destination 198.51.100.7");
    sh(node, dnat + "2 -j DNAT --to-destination 10.200.1.9");
    sync();
    for (const auto& [service, backend, seen] :
         {std::tuple("10.96.0.1", "198.51.100.7", "192.0.2.1"),
          std::tuple("10.96.0.2", "10.200.1.9", "10.200.0.5")}) {
      const UdpSocket client(pod, AF_INET);
      const UdpSocket server(world, addr(backend), kPort);

      const auto question = ask(client, server, addr(service), kPort, "hello");

      ASSERT_TRUE(question) << iptables << " " << question.error().what;
      EXPECT_EQ(question->from.str(), seen) << iptables;
    }
    sh(node, std::string(iptables) + " -t nat -F");
  }
}

TEST_F(NodeFirewallTest, NothingChangesWhenAllIsRight) {
  sync();
  const auto before = rules();
  sh(node, "nft add table ip foreign");

  EXPECT_THAT(sync(), IsEmpty());
  EXPECT_THAT(sync(), IsEmpty());

  EXPECT_EQ(rules(), before);
}

TEST_F(NodeFirewallTest, AnotherDaemonFindsTheTableRight) {
  sync();
  node.enter([&] { firewall.emplace(must(NodeFirewall::open())); });

  EXPECT_THAT(sync(), IsEmpty());

  EXPECT_EQ(seen_at("198.51.100.7"), "192.0.2.1");
}

TEST_F(NodeFirewallTest, WhatIsDeletedOrEditedByHandComesBack) {
  sync();
  const auto right = sh(node, "nft list table inet kube-cni");

  for (const char* edit : {"nft delete table inet kube-cni", "nft flush ruleset",
                           "nft flush chain inet kube-cni from_pods4",
                           "nft delete element inet kube-cni nodes4 { 192.0.2.2 }",
                           "nft add element inet kube-cni exceptions4 { 198.51.100.0/24 }",
                           "nft add chain inet kube-cni other",
                           "nft 'flush table inet kube-cni; delete set inet kube-cni nodes4;"
                           " add set inet kube-cni nodes4 { type ipv6_addr; }'",
                           "nft 'add table inet kube-cni { flags dormant; }'"}) {
    sh(node, edit);

    EXPECT_THAT(sync(), testing::Not(IsEmpty())) << edit;

    EXPECT_EQ(sh(node, "nft list table inet kube-cni"), right) << edit;
  }
  EXPECT_EQ(seen_at("198.51.100.7"), "192.0.2.1");
}

TEST_F(NodeFirewallTest, AChangedSetLeavesTheRulesAlone) {
  sync();
  const auto before = rules();
  spec.cluster_pods.push_back(net("198.51.100.0/24"));
  spec.cluster_pods[1] = net("10.200.1.0/25");
  spec.nodes.erase(spec.nodes.begin() + 1);

  EXPECT_THAT(sync(), ElementsAre("nftables table inet kube-cni changed"));

  EXPECT_EQ(rules(), before);
  EXPECT_EQ(seen_at("198.51.100.7"), "10.200.0.5");
  EXPECT_EQ(seen_at("10.200.1.9"), "10.200.0.5");
  EXPECT_EQ(seen_at("192.0.2.2"), "192.0.2.1");
  EXPECT_THAT(sync(), IsEmpty());
}

TEST_F(NodeFirewallTest, ANodeIsAdmittedBetweenTwoCalls) {
  sync();
  const auto before = rules();
  // Networks that touch each other, and the last one of all.
  const FirewallPeers peers{
      .cluster_pods = {net("198.51.100.0/24"), net("198.51.101.0/24"), net("10.200.2.0/24"),
                       net("255.255.255.0/24"), net("2001:db8:f::/64"), net("2001:db8:202::/64")},
      .nodes = {addr("192.0.2.2"), addr("192.0.2.3"), addr("2001:db8::3")},
      .tunnel_peers = {addr("192.0.2.3"), addr("2001:db8::3")}};

  node.enter([&] { must(firewall->admit(peers)); });

  EXPECT_EQ(rules(), before);
  EXPECT_EQ(seen_at("198.51.100.7"), "10.200.0.5");
  EXPECT_EQ(seen_at("2001:db8:f::7"), "2001:db8:200::5");
  const std::string sets = sh(node,
                              "nft list set inet kube-cni cluster_pods4;"
                              "nft list set inet kube-cni cluster_pods6");
  for (const IpNet& pods : peers.cluster_pods) EXPECT_THAT(sets, HasSubstr(pods.str()));
  const auto append = [](auto& all, const auto& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  append(spec.cluster_pods, peers.cluster_pods);
  append(spec.nodes, peers.nodes);
  append(spec.tunnel_peers, peers.tunnel_peers);
  EXPECT_THAT(sync(), ElementsAre("nftables table inet kube-cni changed"));
  EXPECT_EQ(rules(), before) << "only sets were to be looked at";
  EXPECT_THAT(sync(), IsEmpty());
}

TEST_F(NodeFirewallTest, ANodeThatWasAdmittedIsNobodysChange) {
  sync();
  const FirewallPeers peers{
      .cluster_pods = {net("198.51.100.0/24")}, .nodes = {}, .tunnel_peers = {}};
  node.enter([&] { must(firewall->admit(peers)); });
  sh(node, "nft add table ip foreign");
  spec.cluster_pods.push_back(net("198.51.100.0/24"));

  EXPECT_THAT(sync(), IsEmpty());

  EXPECT_EQ(seen_at("198.51.100.7"), "10.200.0.5");
  // What is in the sets already is no change.
  node.enter([&] { must(firewall->admit(peers)); });
  sh(node, "nft delete table inet kube-cni");
  EXPECT_THAT(sync(), ElementsAre(HasSubstr("somebody deleted it")));
}

TEST_F(NodeFirewallTest, NobodyIsAdmittedWhereThatIsInDoubt) {
  const FirewallPeers overlapping{
      .cluster_pods = {net("10.200.0.0/23")}, .nodes = {}, .tunnel_peers = {}};
  const auto admitted = [&] {
    bool is_admitted = false;
    node.enter([&] { is_admitted = firewall->admit(overlapping).has_value(); });
    return is_admitted;
  };
  EXPECT_FALSE(admitted()) << "before there is a table";
  sync();
  const std::string before = sh(node, "nft list table inet kube-cni");

  EXPECT_FALSE(admitted()) << "its network overlaps others";
  EXPECT_EQ(sh(node, "nft list table inet kube-cni"), before);
  sh(node, "nft delete table inet kube-cni");
  EXPECT_FALSE(admitted()) << "somebody deleted the table";
}

TEST_F(NodeFirewallTest, ASetIsChangedAlsoWhenTheTableWasEdited) {
  sync();
  sh(node, "nft flush chain inet kube-cni postrouting");
  spec.cluster_pods.erase(spec.cluster_pods.begin() + 1);

  EXPECT_THAT(sync(), ElementsAre(HasSubstr("inet kube-cni put right")));

  EXPECT_EQ(seen_at("10.200.1.9"), "192.0.2.1");
}

TEST_F(NodeFirewallTest, ForeignTablesAreNotTouched) {
  const char* list = "nft -a list table ip foreign; nft -a list table inet other";
  sh(node,
     "nft 'table ip foreign { chain post { type nat hook postrouting priority srcnat;"
     " meta mark 0x4000 masquerade; }; }'; nft add table inet other");
  const auto before = sh(node, list);

  sync();
  spec.masquerade = false;
  sync();
  node.enter([&] { must(firewall->remove()); });

  EXPECT_EQ(sh(node, list), before);
}

TEST_F(NodeFirewallTest, NothingIsLeftWhenThereIsNothingToDoOrAfterRemove) {
  sync();
  spec.masquerade = false;
  EXPECT_THAT(sync(), ElementsAre("nftables table inet kube-cni removed"));
  EXPECT_EQ(sh(node, "nft list ruleset"), "");
  EXPECT_THAT(sync(), IsEmpty());

  spec.masquerade = true;
  sync();
  node.enter([&] {
    EXPECT_TRUE(must(firewall->remove()));
    EXPECT_EQ(sh(node, "nft list ruleset"), "");
    EXPECT_FALSE(must(firewall->remove()));
  });

  EXPECT_THAT(sync(), testing::Contains("nftables table inet kube-cni made"));
}

TEST_F(NodeFirewallTest, AUdpFlowThatBeganWithoutItIsTranslatedAfterwards) {
  sh(world, "ip route del 10.200.0.0/24; ip -6 route del 2001:db8:200::/64");
  // Connection tracking is in use before our table, for instance by kube-proxy.
  sh(node,
     "nft 'table inet proxy { chain post { type filter hook postrouting priority 0;"
     " ct state new accept; }; }'");
  for (const char* to : {"198.51.100.7", "2001:db8:f::7"}) {
    const UdpSocket client(pod, addr(to).family(), 40000);
    const UdpSocket server(world, addr(to), kPort);
    ASSERT_TRUE(ok(client.send(addr(to), kPort, "too early")));
    ASSERT_TRUE(server.receive());

    const auto changes = sync();

    EXPECT_THAT(changes, testing::Contains("forgot 1 UDP flows that began without masquerade"));
    const auto question = ask(client, server, addr(to), kPort, "hello");
    EXPECT_TRUE(question) << question.error().what;
    sh(node, "nft delete table inet kube-cni");
  }
}

TEST_F(NodeFirewallTest, OtherFlowsAreNotForgotten) {
  const UdpSocket to_pod(pod, AF_INET, 40001);
  const UdpSocket masqueraded(pod, AF_INET, 40002);
  const UdpSocket other_pod(world, addr("10.200.1.9"), kPort);
  const UdpSocket outside(world, addr("198.51.100.7"), kPort);
  sync();
  ASSERT_TRUE(ask(to_pod, other_pod, addr("10.200.1.9"), kPort, "hello"));
  const auto first = ask(masqueraded, outside, addr("198.51.100.7"), kPort, "hello");
  ASSERT_TRUE(first);
  sh(node, "nft delete table inet kube-cni");

  EXPECT_THAT(sync(), ElementsAre("nftables table inet kube-cni made again: somebody deleted it"));

  const auto second = ask(masqueraded, outside, addr("198.51.100.7"), kPort, "hello");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->port, first->port);
  EXPECT_THAT(sh(node, "cat /proc/net/nf_conntrack"), HasSubstr("sport=40001"));
}

TEST_F(NodeFirewallTest, NoFlowSlipsThroughWhileADaemonStarts) {
  sync();
  const UdpSocket server(world, addr("198.51.100.7"), kPort);
  std::atomic<unsigned> starts = 0;
  std::thread other([&] {
    node.enter([&] {
      for (; starts < 200; ++starts) must(must(NodeFirewall::open()).sync(spec));
    });
  });
  unsigned untranslated = 0;
  unsigned lost = 0;
  while (starts < 200) {
    const UdpSocket client(pod, AF_INET);
    must(client.send(addr("198.51.100.7"), kPort, "hello"));
    const auto question = server.receive();
    lost += question ? 0 : 1;
    untranslated += question && question->from != addr("192.0.2.1") ? 1 : 0;
  }
  other.join();

  EXPECT_EQ(untranslated, 0u);
  EXPECT_EQ(lost, 0u);
}

TEST_F(NodeFirewallTest, WithoutEbpfStrangersDoNotReachTheTunnel) {
  spec.masquerade = false;
  spec.guards_tunnel = true;
  sync();
  const auto packet = [](char vni, const std::string& text) {
    return std::string{'\x08', 0, 0, 0, 0, 0, vni, 0} + text;
  };
  for (const auto& [stranger, peer, own] :
       {std::tuple("198.51.100.7", "192.0.2.2", "192.0.2.1"),
        std::tuple("2001:db8:f::7", "2001:db8::2", "2001:db8::1")}) {
    const UdpSocket tunnel(node, addr(own), kTunnelPort);
    const auto tell = [&](const std::string& from, const std::string& what) {
      must(UdpSocket(world, addr(from), 0).send(addr(own), kTunnelPort, what));
    };

    tell(stranger, packet(84, "a stranger's"));
    tell(peer, packet(85, "another cluster's"));
    tell(peer, packet(84, "a node's"));

    const auto first = tunnel.receive();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->text, packet(84, "a node's"));
  }
  EXPECT_THAT(sh(node, "nft list chain inet kube-cni tunnel | grep -c 'packets 1 '"), "2\n");
  EXPECT_THAT(sh(node, "nft list chain inet kube-cni tunnel | grep -c 'packets 2 '"), "1\n");
  EXPECT_THAT(sync(), IsEmpty()) << "a count is not a change";
}

TEST_F(NodeFirewallTest, FiveThousandNodesAreNoTrouble) {
  for (unsigned number = 0; number < 5000; ++number) {
    spec.nodes.push_back(addr("172.16.0.0").plus(number));
    spec.cluster_pods.push_back({addr("10.0.0.0").plus(number << 8), 24});
    spec.cluster_pods.push_back({addr("2001:db8:" + std::to_string(1000 + number) + "::"), 64});
  }
  const auto timed = [&](const char* what) {
    const auto start = std::chrono::steady_clock::now();
    const auto changes = sync();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    RecordProperty(what, std::to_string(took.count()));
    return changes;
  };

  EXPECT_THAT(timed("all_ms"), Not(IsEmpty()));
  spec.nodes.push_back(addr("172.17.0.1"));
  spec.cluster_pods.push_back(net("10.99.0.0/24"));
  EXPECT_THAT(timed("one_more_ms"), ElementsAre("nftables table inet kube-cni changed"));
  node.enter([&] {
    must(firewall->admit({.cluster_pods = {net("10.99.1.0/24")}, .nodes = {}, .tunnel_peers = {}}));
  });
  spec.cluster_pods.push_back(net("10.99.1.0/24"));
  EXPECT_THAT(timed("admitted_ms"), ElementsAre("nftables table inet kube-cni changed"));
  sh(node, "nft add table ip foreign");
  EXPECT_THAT(timed("foreign_change_ms"), IsEmpty());
  EXPECT_THAT(timed("no_change_ms"), IsEmpty());

  EXPECT_EQ(seen_at("198.51.100.7"), "192.0.2.1");
  EXPECT_EQ(seen_at("10.200.1.9"), "10.200.0.5");
}

}  // namespace
}  // namespace kubecni::test
