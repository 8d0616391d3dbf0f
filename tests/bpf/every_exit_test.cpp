// Each program that may give an exit of include/kubecni/abi.h does give it. The cases are compared
// with that list. So this fails for a new exit without a case, and for a program that never gives
// an exit of its list.
#include "conntrack.hpp"

#include <linux/if_ether.h>

#include <array>
#include <functional>
#include <map>
#include <set>
#include <string_view>

namespace kubecni::test {
namespace {

class EveryExit : public BpfTest {
 protected:
  using Run = std::function<Passage()>;
  using Exits = std::map<kubecni_exit_reason, Run>;

  Passage pod_sends(const IpPacket& packet) { return run(kFromPod, frame_at(kFromPod, packet)); }
  Passage pod_asks(const char* sender_ip) {
    return run(kFromPod,
               arp_packet({.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = sender_ip}));
  }
  Passage wire_brings(const IpPacket& packet) {
    return run(kFromWire, frame_at(kFromWire, packet));
  }
  Passage kernel_delivers(const IpPacket& packet) { return run(kToPod, frame_at(kToPod, packet)); }
  Passage pod_discovers(std::uint8_t type, const char* src) {
    return run(kFromPod, nd_message({.src_mac = kPodAMac, .src = src, .type = type}));
  }
  Passage enters_tunnel(const IpPacket& packet, Metadata metadata = {}) {
    return run(kToTunnel, frame_at(kToTunnel, packet), metadata);
  }
  Passage node_sends(const IpPacket& packet, Metadata metadata = {}) {
    return run(kToWire, frame_at(kToWire, packet), metadata);
  }
  /// A packet that no table has let pass, at an exit.
  Passage policed_pod_sends(const Program& hook) {
    must(dataplane().node_config.set_needs_judged_mark(true));
    return run(hook, frame_at(hook, {}),
               {.from_ifindex = nic().ifindex, .tc_index = KUBECNI_TC_INDEX_POLICED});
  }
  static Frame lldp() { return ethernet_frame(kGatewayMac, kPodAMac, ETH_P_LLDP, 60); }
  static Frame tagged(const Program& hook) { return with_tags(frame_at(hook, {}), kTag, 0); }

  /// The cases of one program.
  Exits exits_of(const Program& hook);
  Exits exits_of_from_pod();
  Exits drops_of_from_pod();
  Exits exits_of_from_wire();
  Exits exits_of_to_pod();
  /// The cases that from_pod and from_wire share.
  Exits exits_of_carrying(const Program& hook);
  Exits exits_of_translating(const Program& hook);

  static constexpr std::array<std::uint16_t, 1> kTag{ETH_P_8021Q};

  /// Only routed packets are changed.
  static bool changes_bytes(kubecni_exit_reason reason) {
    return kExitReasons.at(reason).verdict == KUBECNI_VERDICT_REDIRECT &&
           reason != KUBECNI_FAST_TO_LOCAL_POD;
  }
  static std::set<std::string_view> names_of(const Exits& exits) {
    std::set<std::string_view> names;
    for (const auto& [reason, run] : exits) names.insert(kExitReasons.at(reason).name);
    return names;
  }
  /// The exits in the list.
  static std::set<std::string_view> listed_for(const Program& hook) {
    std::set<std::string_view> names;
    for (const ExitReason& reason : kExitReasons)
      if ((reason.programs & hook.bit) != 0) names.insert(reason.name);
    return names;
  }
};

EveryExit::Exits EveryExit::exits_of_carrying(const Program& hook) {
  const auto brings = [&](const IpPacket& packet) { return run(hook, frame_at(hook, packet)); };
  return {
      {KUBECNI_PASS_NOT_IP, [=, this] { return run(hook, lldp()); }},
      {KUBECNI_PASS_IP_OPTIONS, [=] { return brings({.option_bytes = 4}); }},
      {KUBECNI_PASS_FRAGMENT, [=] { return brings({.more_fragments = true}); }},
      {KUBECNI_PASS_TTL_EXPIRED, [=] { return brings({.ttl = 1}); }},
      {KUBECNI_PASS_PROTOCOL, [=] { return brings({.protocol = IPPROTO_GRE}); }},
      {KUBECNI_PASS_KERNEL_FLOW,
       [=, this] {
         kernel_delivers({.protocol = IPPROTO_ICMP});
         node_sends({.protocol = IPPROTO_ICMP});
         return brings({.protocol = IPPROTO_ICMP});
       }},
      {KUBECNI_PASS_NO_ENDPOINT, [=] { return brings({.dst = kIpv4.no_pod}); }},
      {KUBECNI_PASS_NOT_READY,
       [=, this] {
         set_flags(kPodA, 0);
         return brings({});
       }},
      {KUBECNI_PASS_SHAPED,
       [=, this] {
         set_flags(kPodA, KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_SHAPED);
         return brings({});
       }},
      {KUBECNI_PASS_POLICED,
       [=, this] {
         set_flags(kPodA, KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_POLICED);
         return brings({});
       }},
      {KUBECNI_DROP_SHORT_PACKET,
       [=, this] {
         Frame cut = frame_at(hook, {});
         cut.resize(ETH_HLEN + 20 + 7);
         return run(hook, cut);
       }},
      {KUBECNI_PASS_EXTENSION_HEADER,
       [=] { return brings({.family = AF_INET6, .extension_headers = {IPPROTO_DSTOPTS}}); }},
  };
}

EveryExit::Exits EveryExit::exits_of_translating(const Program& hook) {
  const bool is_from_pod = hook.name == std::string_view(kFromPod.name);
  const auto translate = [=, this](const char* dst, std::size_t payload_bytes,
                                   const std::function<void(Connection&)>& change) {
    Connection connection{.family = kIpv4,
                          .protocol = IPPROTO_UDP,
                          .src = is_from_pod ? kPodA : kRemotePod,
                          .dst = is_from_pod ? kRemotePod : kPodA,
                          .src_port = 40000,
                          .dst_port = 8080,
                          .translated_dst = dst};
    if (change) change(connection);
    add_connection(connection);
    return run(hook, frame_at(hook, {.payload_bytes = payload_bytes}));
  };
  return {
      {KUBECNI_FAST_TRANSLATED_TO_POD, [=] { return translate(kPodB, 16, {}); }},
      {KUBECNI_FAST_TRANSLATED_TO_HOST, [=] { return translate(kIpv4.other_remote_pod, 16, {}); }},
      {KUBECNI_PASS_OVER_MTU, [=] { return translate(kIpv4.other_remote_pod, kNicMtu, {}); }},
      {KUBECNI_PASS_NO_WAY, [=] { return translate(kIpv4.no_pod, 16, {}); }},
      {KUBECNI_PASS_HANDSHAKE,
       [=] { return translate(kPodB, 16, [](Connection& flow) { flow.is_assured = false; }); }},
      {KUBECNI_PASS_SPECIAL_TRANSLATION,
       [=] { return translate(kPodB, 16, [](Connection& flow) { flow.mark = 7; }); }},
  };
}

EveryExit::Exits EveryExit::exits_of_from_pod() {
  return {
      {KUBECNI_FAST_TO_LOCAL_POD, [&] { return pod_sends({.dst_mac = kPodBMac, .dst = kPodB}); }},
      {KUBECNI_FAST_TO_NODE, [&] { return pod_sends({.dst = kRemotePod}); }},
      {KUBECNI_FAST_TO_TUNNEL, [&] { return pod_sends({.dst = kIpv4.tunnel_pod}); }},
      {KUBECNI_PASS_ARP, [&] { return pod_asks(kPodA); }},
      {KUBECNI_PASS_MULTICAST, [&] { return pod_sends({.dst_mac = "01:00:5e:00:00:fb"}); }},
      {KUBECNI_PASS_NO_NODE, [&] { return pod_sends({.dst = kOutside}); }},
      {KUBECNI_PASS_OTHER_MAC, [&] { return pod_sends({.dst_mac = kForeignMac}); }},
      {KUBECNI_PASS_UNKNOWN_SENDER,
       [&] {
         empty_the_maps();
         return pod_sends({});
       }},
      {KUBECNI_PASS_NO_SOURCE,
       [&] {
         return pod_sends(
             {.src = "0.0.0.0", .dst = "255.255.255.255", .src_port = 68, .dst_port = 67});
       }},
      {KUBECNI_PASS_NEIGHBOUR_DISCOVERY, [&] { return pod_discovers(135, kIpv6.pod_a); }},
      {KUBECNI_PASS_LINK_LOCAL,
       [&] { return pod_sends({.family = AF_INET6, .src = kPodALinkLocal}); }},
      {KUBECNI_PASS_OTHER_NETWORK,
       [&] {
         must(dataplane().node_config.set_cluster_network(kNetwork + 1));
         return pod_sends({});
       }},
  };
}

EveryExit::Exits EveryExit::drops_of_from_pod() {
  return {
      {KUBECNI_DROP_SPOOFED_IP, [&] { return pod_sends({.src = kPodB}); }},
      {KUBECNI_DROP_SPOOFED_MAC, [&] { return pod_sends({.src_mac = kForeignMac}); }},
      {KUBECNI_DROP_SPOOFED_ARP, [&] { return pod_asks(kPodB); }},
      {KUBECNI_DROP_SPOOFED_ND, [&] { return pod_discovers(135, kIpv6.pod_b); }},
      {KUBECNI_DROP_ROUTER_ND, [&] { return pod_discovers(134, kPodALinkLocal); }},
      {KUBECNI_DROP_TAGGED, [&] { return run(kFromPod, tagged(kFromPod)); }},
      {KUBECNI_DROP_FOREIGN_ERROR,
       [&] {
         return pod_sends({.protocol = IPPROTO_ICMP,
                           .icmp_type = 3,
                           .icmp_body = error_about({.src = kRemotePod, .dst = kPodB})});
       }},
      {KUBECNI_DROP_MULTICAST_ROUTER,
       [&] { return pod_sends({.protocol = IPPROTO_IGMP, .payload = Frame(8, 0x11)}); }},
      {KUBECNI_DROP_HIDDEN_HEADER,
       [&] {
         return pod_sends(
             {.family = AF_INET6, .extension_headers = {IPPROTO_FRAGMENT, IPPROTO_FRAGMENT}});
       }},
      {KUBECNI_DROP_DHCP_SERVER, [&] { return pod_sends({.src_port = 67, .dst_port = 68}); }},
      {KUBECNI_DROP_BRIDGE_CONTROL, [&] { return pod_sends({.dst_mac = "01:80:c2:00:00:00"}); }},
      {KUBECNI_DROP_OVER_LIMIT,
       [&] {
         limit_pod_a({.rate = 1});
         (void)pod_sends({});
         return pod_sends({.dst = kOutside});
       }},
  };
}

EveryExit::Exits EveryExit::exits_of_from_wire() {
  return {
      {KUBECNI_FAST_FROM_WIRE, [&] { return wire_brings({}); }},
      {KUBECNI_PASS_NOT_FROM_POD, [&] { return wire_brings({.src = kIpv4.remote_node}); }},
      {KUBECNI_PASS_NOT_TO_HOST, [&] { return wire_brings({.dst_mac = kForeignMac}); }},
      {KUBECNI_PASS_VLAN, [&] { return run(kFromWire, tagged(kFromWire)); }},
      {KUBECNI_PASS_NEIGHBOUR_DISCOVERY,
       [&] {
         return wire_brings({.family = AF_INET6, .protocol = IPPROTO_ICMP, .icmp_type = 135});
       }},
  };
}

EveryExit::Exits EveryExit::exits_of_to_pod() {
  return {
      {KUBECNI_DROP_NOT_JUDGED, [&] { return policed_pod_sends(kToPod); }},
      {KUBECNI_KERNEL_TO_POD, [&] { return kernel_delivers({}); }},
      {KUBECNI_FAST_SENT_TO_POD,
       [&] {
         return run(kToPod, frame_at(kToPod, {}),
                    {.mark = KUBECNI_MARK_FAST, .tc_index = KUBECNI_TC_INDEX_FAST});
       }},
      {KUBECNI_PASS_NOT_IP, [&] { return run(kToPod, lldp()); }},
      {KUBECNI_PASS_MULTICAST, [&] { return kernel_delivers({.dst_mac = "01:00:5e:00:00:fb"}); }},
      {KUBECNI_PASS_VLAN, [&] { return run(kToPod, tagged(kToPod)); }},
      {KUBECNI_PASS_NEIGHBOUR_DISCOVERY,
       [&] {
         return kernel_delivers({.family = AF_INET6, .protocol = IPPROTO_ICMP, .icmp_type = 135});
       }},
  };
}

EveryExit::Exits EveryExit::exits_of(const Program& hook) {
  const std::string_view name = hook.name;
  Exits exits;
  if (name == kFromPod.name) {
    exits = exits_of_from_pod();
    exits.merge(drops_of_from_pod());
    exits.merge(exits_of_carrying(hook));
    exits.merge(exits_of_translating(hook));
  } else if (name == kFromWire.name) {
    exits = exits_of_from_wire();
    exits.merge(exits_of_carrying(hook));
    exits.merge(exits_of_translating(hook));
  } else if (name == kToPod.name) {
    exits = exits_of_to_pod();
  } else if (name == kToWire.name) {
    exits = {
        {KUBECNI_DROP_NOT_JUDGED, [&] { return policed_pod_sends(kToWire); }},
        {KUBECNI_KERNEL_TO_WIRE, [&] { return node_sends({}); }},
        {KUBECNI_KERNEL_TO_WIRE_OTHER, [&] { return node_sends({.dst = kOutside}); }},
        {KUBECNI_FAST_SENT_TO_WIRE, [&] { return node_sends({}, {.mark = KUBECNI_MARK_FAST}); }},
    };
  } else if (name == kToTunnel.name) {
    exits = {
        {KUBECNI_DROP_NOT_JUDGED, [&] { return policed_pod_sends(kToTunnel); }},
        {KUBECNI_KERNEL_TO_TUNNEL, [&] { return enters_tunnel({}); }},
        {KUBECNI_KERNEL_TO_TUNNEL_OTHER, [&] { return enters_tunnel({.dst = kOutside}); }},
        {KUBECNI_FAST_SENT_TO_TUNNEL,
         [&] { return enters_tunnel({}, {.mark = KUBECNI_MARK_FAST}); }},
    };
  } else {
    exits = {
        {KUBECNI_PASS_NO_PEERS, [&] { return run(kFromTunnel, frame_at(kFromTunnel, {})); }},
        {KUBECNI_DROP_TUNNEL_SOURCE,
         [&] {
           set_peer(kIpv4.none, 0);
           return run(kFromTunnel, frame_at(kFromTunnel, {}));
         }},
    };
  }
  return exits;
}

TEST_F(EveryExit, IsReachedInEachProgramThatMayGiveIt) {
  for (const Program& hook : kPrograms) {
    SCOPED_TRACE(hook.name);
    const Exits exits = exits_of(hook);
    // All others need a tunnel key, which test runs do not have: tunnel_device_test.cpp.
    if (hook.name != std::string_view(kFromTunnel.name)) {
      auto expected = listed_for(hook);
      // Needs a late checksum, which test runs do not have: late_checksum_test.cpp.
      expected.erase("DROP_MISPLACED_CHECKSUM");
      // Needs a route to the next hop, and then no other packet could go: next_hop_test.cpp.
      expected.erase("PASS_NO_NEIGHBOUR");
      EXPECT_EQ(names_of(exits), expected);
    }
    for (const auto& [reason, run] : exits) {
      SCOPED_TRACE(kExitReasons.at(reason).name);
      reset_the_maps();
      forget_connections();

      const Passage passage = run();

      EXPECT_EQ(passage.reason, reason);
      EXPECT_EQ(passage.out == passage.in, !changes_bytes(reason));
    }
  }
}

// Behind the outer header, from_tunnel runs the code of from_wire.
TEST_F(EveryExit, FromTunnelHasThoseOfFromWireAndOfTheTunnel) {
  std::set<std::string_view> expected = listed_for(kFromWire);
  expected.erase("FAST_FROM_WIRE");
  expected.insert({"FAST_FROM_TUNNEL", "PASS_NO_PEERS", "DROP_TUNNEL_SOURCE", "DROP_TUNNEL_ID"});

  EXPECT_EQ(listed_for(kFromTunnel), expected);
}

}  // namespace
}  // namespace kubecni::test
