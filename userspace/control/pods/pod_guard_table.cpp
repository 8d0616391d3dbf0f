#include "control/pods/pod_guard_table.hpp"

#include <cstdio>
#include <span>

namespace kubecni {

namespace {

// Protocols are numbers, here and below: nft looks names up in /etc/protocols, which the image
// has not. 1 is ICMP, 2 IGMP, 6 TCP, 17 UDP, 58 ICMPv6, 103 PIM.
// Below the priority of br_netfilter, which is 0.
constexpr const char* kChainsAtHooks = R"(	chain prerouting {
		type filter hook prerouting priority -300; policy accept;
		iifname @ports goto from_pod comment "others are no pods, or not known yet"
	}
	chain input {
		type filter hook input priority -300; policy accept;
		iifname @ports ether daddr & ff:ff:ff:ff:ff:f0 { 01:80:c2:00:00:00, 01:00:0c:cc:cc:c0 } counter drop comment "frame to a bridge"
		iifname @uplinked ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 ether type { 0x888e, 0x88cc, 0x8809 } accept comment "to the NIC itself: 802.1X, LLDP, LACP"
		iifname @uplinked counter drop comment "the node is no host of the network behind an uplink"
	}
)";

constexpr const char* kChainFromPod = R"(	chain from_pod {
		ether daddr & ff:ff:ff:ff:ff:f0 { 01:80:c2:00:00:00, 01:00:0c:cc:cc:c0 } counter drop comment "frame to a bridge"
		ether type ip goto from_pod4
		ether type ip6 goto from_pod6
		ether type arp goto from_pod_arp
		ether type { 8021q, 8021ad, 0x9100, 0x9200, 0x9300 } counter drop comment "tagged frame"
		iifname . ether saddr != @macs counter drop comment "another's MAC"
	}
	chain from_pod_arp {
		iifname . ether saddr != @macs counter drop comment "another's MAC"
		arp htype 1 arp hlen 6 arp plen 4 iifname . arp saddr ether . arp saddr ip @arp_senders accept
		counter drop comment "ARP for another's address"
	}
)";

// Before conntrack, and after it has put fragments together.
constexpr const char* kRoutedChains = R"(	chain prerouting {
		type filter hook prerouting priority -300; policy accept;
		iifname @ports goto from_pod comment "others are no pods, or not known yet"
	}
	chain from_pod {
		meta nfproto ipv4 goto from_pod4
		meta nfproto ipv6 goto from_pod6
	}
)";

// 0.0.0.0 is the source of a pod without an address (RFC 2131), and of IGMP reports. Neither is for
// one receiver: no policy would see who sends it.
constexpr const char* kChainFromPod4 = R"(	chain from_pod4 {
		udp dport 68 counter drop comment "answer of a DHCP server"
		ip protocol { 6, 17 } iifname . ether saddr . ip saddr @sources4 accept
		ip protocol 1 jump icmp4
		ip protocol 2 @th,0,8 { 0x11, 0x30, 0x31, 0x32 } counter drop comment "query or router discovery of multicast"
		ip protocol 103 counter drop comment "query or router discovery of multicast"
		iifname . ether saddr . ip saddr @sources4 accept
		iifname . ether saddr != @macs counter drop comment "another's MAC"
		ether daddr ff:ff:ff:ff:ff:ff ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
		ip saddr 0.0.0.0 ip daddr 224.0.0.0/4 ip protocol 2 accept
		counter drop comment "another's IPv4 address"
	}
	chain icmp4 {
		ip frag-off & 0x1fff != 0 return comment "of no use without the first fragment"
		icmp type != { destination-unreachable, source-quench, redirect, time-exceeded, parameter-problem } return
		ip frag-off & 0x2000 == 0 iifname . @th,192,32 @received4 return
		counter drop comment "ICMP error about another's packet"
	}
)";

// Neighbour discovery is right after the IPv6 header and whole, or no receiver may take it
// (RFC 6980); it has at most one option, which is the pod's MAC or the nonce of RFC 7527.
// nft reads to the end of the frame, which may be behind the end of the packet. So it may find
// other headers in a fragment than a receiver does: no fragment may have further headers.
constexpr const char* kChainFromPod6 = R"(	chain from_pod6 {
		udp dport 546 counter drop comment "answer of a DHCP server"
		ip6 nexthdr { 6, 17 } iifname . ether saddr . ip6 saddr @sources6 accept
		exthdr frag exists jump fragment6
		iifname . ether saddr != @macs counter drop comment "another's MAC"
		meta l4proto 58 jump icmp6
		meta l4proto 103 counter drop comment "query or router discovery of multicast"
		iifname . ether saddr . ip6 saddr @sources6 accept
		counter drop comment "another's IPv6 address"
	}
	chain fragment6 {
		frag frag-off != 0 return
		frag nexthdr { 0, 43, 44, 51, 60, 135, 139, 140 } counter drop comment "headers hidden by fragments"
		meta l4proto 58 icmpv6 type { echo-request, echo-reply } return
		meta l4proto != 58 return
		counter drop comment "ICMPv6 hidden by fragments"
	}
	chain icmp6 {
		icmpv6 type { echo-request, echo-reply } return
		icmpv6 type { nd-router-advert, nd-redirect } counter drop comment "neighbour discovery as a router"
		icmpv6 type { mld-listener-query, 151, 152, 153 } counter drop comment "query or router discovery of multicast"
		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } goto icmp_error6
		icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } goto nd6
		ip6 saddr :: ip6 daddr ff00::/8 icmpv6 type { mld-listener-report, mld-listener-reduction, mld2-listener-report } accept
	}
	chain icmp_error6 {
		iifname . @th,256,128 @received6 return
		counter drop comment "ICMP error about another's packet"
	}
	chain nd6 {
		ip6 nexthdr != 58 counter drop comment "neighbour discovery behind other headers"
		icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @received6 counter drop comment "neighbour discovery about another"
		icmpv6 type nd-router-solicit ip6 length 8 goto nd_source6
		icmpv6 type nd-router-solicit ip6 length 16 iifname . @th,80,48 @option_macs goto nd_source6
		icmpv6 type != nd-router-solicit ip6 length 24 goto nd_source6
		icmpv6 type != nd-router-solicit ip6 length 32 iifname . @th,208,48 @option_macs goto nd_source6
		icmpv6 type nd-neighbor-solicit ip6 length 32 @th,192,16 0x0e01 goto nd_source6
		counter drop comment "neighbour discovery about another"
	}
	chain nd_source6 {
		ip6 saddr :: icmpv6 type != nd-neighbor-advert accept
	}
)";

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text = "0x";
  for (const std::uint8_t byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    text += digits;
  }
  return text;
}

std::string hex(const IpAddr& addr) { return hex(std::span(addr.data(), addr.bytes())); }

/// What both tables ask about IP packets.
std::map<std::string, NftSet> ip_sets() {
  return {{"ports", {"type ifname;", {}}},
          {"macs", {"type ifname . ether_addr;", {}}},
          {"sources4", {"type ifname . ether_addr . ipv4_addr;", {}}},
          {"sources6", {"type ifname . ether_addr . ipv6_addr;", {}}},
          {"received4", {"typeof iifname . @th,192,32;", {}}},
          {"received6", {"typeof iifname . @th,256,128;", {}}},
          {"option_macs", {"typeof iifname . @th,208,48;", {}}}};
}

void add_pod(const std::string& ifname, const GuardedPod& pod, NftTable& table) {
  const std::string port = "\"" + ifname + "\"";
  const std::string sender = port + " . " + pod.mac.str();
  const auto add = [&](const char* set, const std::string& element) {
    table.sets.at(set).elements.insert(element);
  };
  add("ports", port);
  add("macs", sender);
  add("option_macs", port + " . " + hex(pod.mac.bytes));
  std::vector<IpAddr> own = pod.addresses;
  own.push_back(pod.mac.link_local());
  for (const IpAddr& addr : own) {
    add(addr.is_v4() ? "sources4" : "sources6", sender + " . " + addr.str());
    add(addr.is_v4() ? "received4" : "received6", port + " . " + hex(addr));
  }
}

}  // namespace

NftTable plan_pod_guard(const GuardedPods& pods) {
  NftTable table{
      .name = kPodGuardTable,
      .sets = ip_sets(),
      .rules = std::string(kChainsAtHooks) + kChainFromPod + kChainFromPod4 + kChainFromPod6};
  NftSet& arp_senders = table.sets["arp_senders"];
  arp_senders.header = "type ifname . ether_addr . ipv4_addr;";
  NftSet& uplinked = table.sets["uplinked"];
  uplinked.header = "type ifname;";
  for (const auto& [ifname, pod] : pods) {
    add_pod(ifname, pod, table);
    const std::string sender = "\"" + ifname + "\" . " + pod.mac.str();
    arp_senders.elements.insert(sender + " . 0.0.0.0");  // a probe, RFC 5227
    if (!pod.uplink.empty()) {
      uplinked.elements.insert("\"" + ifname + "\"");
      uplinked.elements.insert("\"" + pod.uplink + "\"");
    }
    for (const IpAddr& addr : pod.addresses)
      if (addr.is_v4()) arp_senders.elements.insert(sender + " . " + addr.str());
  }
  return table;
}

NftTable plan_routed_guard(const GuardedPods& pods) {
  NftTable table{.name = kRoutedGuardTable,
                 .sets = ip_sets(),
                 .rules = std::string(kRoutedChains) + kChainFromPod4 + kChainFromPod6};
  for (const auto& [ifname, pod] : pods) add_pod(ifname, pod, table);
  return table;
}

}  // namespace kubecni
