// Each exit of include/kubecni/abi.h is reached. The cases are compared with
// that list, so that a new exit without a case fails here.
#include "fixture.hpp"

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <array>
#include <functional>
#include <map>
#include <string_view>

namespace kubecni::test {
namespace {

class EveryExit : public BpfTest {
 protected:
  using Cases = std::map<kubecni_exit_reason, std::function<Passage()>>;

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
  Cases cases();
  static constexpr std::array<std::uint16_t, 1> kTag{ETH_P_8021Q};

  /// What the name of an exit promises.
  static int verdict_of(kubecni_exit_reason reason) {
    const std::string_view name = kExitReasons.at(reason).name;
    if (name.starts_with("DROP_")) return TC_ACT_SHOT;
    return name.starts_with("FAST_") && !name.starts_with("FAST_SENT_") ? TC_ACT_REDIRECT
                                                                        : TC_ACT_UNSPEC;
  }
  /// Only what is routed is another packet afterwards.
  static bool changes_bytes(kubecni_exit_reason reason) {
    return verdict_of(reason) == TC_ACT_REDIRECT && reason != KUBECNI_FAST_TO_LOCAL_POD;
  }
  /// With a tunnel key, which no test run has: tunnel_device_test.cpp.
  static bool needs_a_tunnel(kubecni_exit_reason reason) {
    return reason == KUBECNI_FAST_FROM_TUNNEL || reason == KUBECNI_DROP_TUNNEL_ID;
  }
};

EveryExit::Cases EveryExit::cases() {
  return {
      {KUBECNI_FAST_TO_LOCAL_POD, [&] { return pod_sends({.dst_mac = kPodBMac, .dst = kPodB}); }},
      {KUBECNI_FAST_TO_NODE, [&] { return pod_sends({.dst = kRemotePod}); }},
      {KUBECNI_FAST_FROM_WIRE, [&] { return wire_brings({}); }},
      {KUBECNI_KERNEL_TO_POD, [&] { return kernel_delivers({}); }},
      {KUBECNI_KERNEL_TO_WIRE, [&] { return node_sends({}); }},
      {KUBECNI_KERNEL_TO_WIRE_OTHER, [&] { return node_sends({.dst = kOutside}); }},
      {KUBECNI_FAST_SENT_TO_WIRE, [&] { return node_sends({}, {.mark = KUBECNI_MARK_FAST}); }},
      {KUBECNI_PASS_ARP, [&] { return pod_asks(kPodA); }},
      {KUBECNI_PASS_NOT_IP,
       [&] { return run(kFromPod, ethernet_frame(kGatewayMac, kPodAMac, ETH_P_LLDP, 60)); }},
      {KUBECNI_PASS_MULTICAST, [&] { return pod_sends({.dst_mac = "01:00:5e:00:00:fb"}); }},
      {KUBECNI_PASS_IP_OPTIONS, [&] { return pod_sends({.option_bytes = 4}); }},
      {KUBECNI_PASS_FRAGMENT, [&] { return pod_sends({.more_fragments = true}); }},
      {KUBECNI_PASS_TTL_EXPIRED, [&] { return pod_sends({.ttl = 1}); }},
      {KUBECNI_PASS_OVER_MTU, [&] { return pod_sends({.payload_bytes = kNicMtu}); }},
      {KUBECNI_PASS_PROTOCOL, [&] { return pod_sends({.protocol = IPPROTO_SCTP}); }},
      {KUBECNI_PASS_KERNEL_FLOW,
       [&] {
         kernel_delivers({.protocol = IPPROTO_ICMP});
         return pod_sends({.protocol = IPPROTO_ICMP});
       }},
      {KUBECNI_PASS_NO_NODE, [&] { return pod_sends({.dst = kOutside}); }},
      {KUBECNI_PASS_NO_ENDPOINT, [&] { return wire_brings({.dst = kOutside}); }},
      {KUBECNI_PASS_NOT_READY,
       [&] {
         set_flags(kPodA, 0);
         return wire_brings({.dst = kPodA});
       }},
      {KUBECNI_PASS_OTHER_MAC, [&] { return pod_sends({.dst_mac = kForeignMac}); }},
      {KUBECNI_PASS_UNKNOWN_SENDER,
       [&] {
         empty_the_maps();
         return pod_sends({});
       }},
      {KUBECNI_PASS_NOT_FROM_POD, [&] { return wire_brings({.src = kIpv4.remote_node}); }},
      {KUBECNI_PASS_NOT_TO_HOST, [&] { return wire_brings({.dst_mac = kForeignMac}); }},
      {KUBECNI_DROP_SHORT_PACKET,
       [&] {
         Frame cut = frame_at(kFromWire, {});
         cut.resize(ETH_HLEN + 20 + 7);
         return run(kFromWire, cut);
       }},
      {KUBECNI_PASS_VLAN,
       [&] { return run(kFromWire, with_tags(frame_at(kFromWire, {}), kTag, 7)); }},
      {KUBECNI_PASS_SHAPED,
       [&] {
         set_flags(kPodB, KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_SHAPED);
         return pod_sends({.dst_mac = kPodBMac, .dst = kPodB});
       }},
      {KUBECNI_PASS_NO_SOURCE,
       [&] { return pod_sends({.src = "0.0.0.0", .src_port = 68, .dst_port = 67}); }},
      {KUBECNI_DROP_SPOOFED_IP, [&] { return pod_sends({.src = kPodB}); }},
      {KUBECNI_DROP_SPOOFED_MAC, [&] { return pod_sends({.src_mac = kForeignMac}); }},
      {KUBECNI_DROP_SPOOFED_ARP, [&] { return pod_asks(kPodB); }},
      {KUBECNI_FAST_TO_TUNNEL, [&] { return pod_sends({.dst = kIpv4.tunnel_pod}); }},
      {KUBECNI_FAST_SENT_TO_TUNNEL, [&] { return enters_tunnel({}, {.mark = KUBECNI_MARK_FAST}); }},
      {KUBECNI_KERNEL_TO_TUNNEL, [&] { return enters_tunnel({}); }},
      {KUBECNI_KERNEL_TO_TUNNEL_OTHER, [&] { return enters_tunnel({.dst = kOutside}); }},
      {KUBECNI_PASS_NEIGHBOUR_DISCOVERY, [&] { return pod_discovers(135, kIpv6.pod_a); }},
      {KUBECNI_PASS_EXTENSION_HEADER,
       [&] { return pod_sends({.family = AF_INET6, .extension_headers = {IPPROTO_DSTOPTS}}); }},
      {KUBECNI_PASS_LINK_LOCAL,
       [&] { return pod_sends({.family = AF_INET6, .src = kPodALinkLocal}); }},
      {KUBECNI_PASS_NO_PEERS, [&] { return run(kFromTunnel, frame_at(kFromTunnel, {})); }},
      {KUBECNI_DROP_SPOOFED_ND, [&] { return pod_discovers(135, kIpv6.pod_b); }},
      {KUBECNI_DROP_ROUTER_ND, [&] { return pod_discovers(134, kPodALinkLocal); }},
      {KUBECNI_DROP_TUNNEL_SOURCE,
       [&] {
         set_peer(kIpv4.none, 0);
         return run(kFromTunnel, frame_at(kFromTunnel, {}));
       }},
      {KUBECNI_DROP_TAGGED,
       [&] { return run(kFromPod, with_tags(frame_at(kFromPod, {}), kTag, 0)); }},
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
      {KUBECNI_PASS_OTHER_NETWORK,
       [&] {
         must(dataplane().set_cluster_network(kNetwork + 1));
         return pod_sends({});
       }},
  };
}

TEST_F(EveryExit, IsReachedWithTheVerdictThatItsNamePromises) {
  const Cases all = cases();
  for (int i = 0; i < KUBECNI_EXIT_REASON_COUNT; ++i) {
    const auto reason = static_cast<kubecni_exit_reason>(i);
    SCOPED_TRACE(kExitReasons.at(reason).name);
    if (needs_a_tunnel(reason)) continue;
    const auto found = all.find(reason);
    if (found == all.end()) {
      ADD_FAILURE() << "no test reaches this exit";
      continue;
    }
    reset_the_maps();

    const Passage passage = found->second();

    EXPECT_EQ(passage.reason, reason);
    EXPECT_EQ(passage.verdict, verdict_of(reason));
    EXPECT_EQ(passage.out == passage.in, !changes_bytes(reason));
  }
}

}  // namespace
}  // namespace kubecni::test
