// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_pod: ingress of the host end of a pod's veth: the packets that the
 * pod sends. It runs before the bridge's receive handler, so a packet that
 * it does not redirect reaches the bridge as if there were no eBPF. */
#define THIS_PROGRAM KUBECNI_BY_FROM_POD

#include "arp.h"
#include "carry.h"
#include "control.h"
#include "exits.h"
#include "judged.h"
#include "late_checksum.h"
#include "lookup.h"
#include "pace.h"
#include "packet.h"
#include "sender.h"

/* A frame that is neither IP nor ARP can still have a spoofed source MAC. */
static __always_inline struct exit on_other(struct __sk_buff *skb, const struct ethhdr *eth)
{
	struct kubecni_pod_iface iface;
	if (read_sender(skb, AF_INET, &iface) && !same_mac(eth->h_source, iface.pod_mac))
		return EXIT(DROP_SPOOFED_MAC);
	return EXIT(PASS_NOT_IP);
}

/* A frame without an IP header. */
static __always_inline struct exit on_other_protocol(struct __sk_buff *skb)
{
	if (has_late_checksum(skb))
		return EXIT(DROP_MISPLACED_CHECKSUM);
	struct cursor cur = cursor_at_headers(skb);
	struct ethhdr *eth = pull_eth(&cur);
	if (!eth)
		return EXIT(DROP_SHORT_PACKET);
	if (eth->h_proto == bpf_htons(ETH_P_ARP))
		return on_arp(skb, eth, &cur);
	if (is_vlan_type(eth->h_proto))
		return EXIT(DROP_TAGGED);
	return on_other(skb, eth);
}

/* A global function: see judge_control4(). */
__noinline int judge_other(struct __sk_buff *skb, struct exit *exit)
{
	if (exit)
		*exit = on_other_protocol(skb);
	return 0;
}

/* Whether a packet may have no source address: DHCP (RFC 2131) and group
 * management (RFC 3376, 3590) may, to many. For IPv6 the latter is behind an
 * extension header. No route leads back to such a source. */
static __always_inline bool may_lack_source(const struct packet *pkt, const struct cursor *cur)
{
	const __u8 protocol = protocol_of(pkt);
	if (!is_to_many(dst_of(pkt), pkt->family))
		return false;
	if (pkt->family == AF_INET6)
		return protocol == IPPROTO_HOPOPTS; /* judge_control6() checks the rest */
	if (protocol != IPPROTO_UDP)
		return protocol == IPPROTO_IGMP;
	struct cursor peek = *cur;
	const struct udphdr *udp = pull(&peek, sizeof(*udp));
	return has_transport(pkt) && udp && udp->source == bpf_htons(DHCP_CLIENT_PORT) &&
	       udp->dest == bpf_htons(DHCP_SERVER_PORT);
}

/* The endpoints do not confirm the sender: it is spoofed, or not known yet
 * or any more. */
static __always_inline struct exit
on_unconfirmed_sender(struct __sk_buff *skb, const struct packet *pkt, const struct cursor *cur)
{
	const void *src = src_of(pkt);
	struct kubecni_pod_iface iface;
	if (!read_sender(skb, pkt->family, &iface))
		return EXIT(PASS_UNKNOWN_SENDER);

	struct exit honest = EXIT(PASS_UNKNOWN_SENDER); /* the entry has come meanwhile */
	if (is_unspecified(src, pkt->family)) {
		if (!may_lack_source(pkt, cur))
			return EXIT(DROP_SPOOFED_IP);
		honest = EXIT(PASS_NO_SOURCE);
	} else if (pkt->family == AF_INET6 && is_link_local_of(src, iface.pod_mac)) {
		honest = EXIT(PASS_LINK_LOCAL);
	} else if (!is_own_addr(skb, &iface, src, pkt->family)) {
		return EXIT(DROP_SPOOFED_IP);
	}
	return same_mac(pkt->eth->h_source, iface.pod_mac) ? honest : EXIT(DROP_SPOOFED_MAC);
}

/* Judges what the packet says above IP. */
static __always_inline void judge_control(struct __sk_buff *skb, int family, struct exit *exit)
{
	if (family == AF_INET6)
		judge_control6(skb, exit);
	else
		judge_control4(skb, exit);
}

/* Sender: checks that it is the pod behind this interface, and that eBPF
 * carries its packets. */
static __always_inline struct exit judge_sender(struct __sk_buff *skb, const struct walk *walk,
						struct flow *flow)
{
	struct kubecni_pod_iface *iface = pod_iface_of(skb);
	if (!iface)
		return EXIT(PASS_UNKNOWN_SENDER);
	flow->network = iface->network;
	struct kubecni_endpoint self;
	if (!read_endpoint(flow->network, src_of(&walk->pkt), walk->pkt.family, &self) ||
	    self.host_ifindex != skb->ifindex || !same_mac(walk->pkt.eth->h_source, self.pod_mac))
		return on_unconfirmed_sender(skb, &walk->pkt, &walk->cur);
	clear_answer(flow, same_mac(walk->pkt.eth->h_dest, self.gateway_mac));
	flow->is_policed = is_policed(&self);
	flow->is_paced = self.flags & KUBECNI_ENDPOINT_PACED;
	if (flow->is_paced && !is_paced(skb))
		return EXIT(PASS_SHAPED);
	/* eBPF must be able to carry both directions of a flow. */
	return judge_pod(&self);
}

/* Finds who has the destination address: a pod of this node, or else another
 * node. */
static __always_inline struct exit find_receiver(const struct packet *pkt, struct flow *flow)
{
	struct kubecni_flow_state *answer = &flow->answer;
	answer->is_to_pod = read_endpoint(flow->network, dst_of(pkt), pkt->family, &answer->pod);
	if (answer->is_to_pod) {
		flow->is_policed |= is_policed(&answer->pod);
		return CONTINUE;
	}
	const struct kubecni_node *node = node_of(dst_of(pkt), pkt->family);
	if (!node)
		return EXIT(PASS_NO_NODE);
	if (!is_reached(node))
		return EXIT(PASS_NO_ENDPOINT);
	answer->node = *node;
	/* eBPF could not carry the answer. */
	return flow->network != cluster_network() ? EXIT(PASS_OTHER_NETWORK) : CONTINUE;
}

/* Whether the kernel does not know the Ethernet address of the next hop to a
 * node without a tunnel. What eBPF sends there waits for it like all packets. But
 * if the next hop does not answer, only the kernel path tells the sender. */
static __always_inline bool lacks_neighbour(struct __sk_buff *skb, const struct kubecni_node *node)
{
	if (node->kind != KUBECNI_NODE_DIRECT)
		return false;
	struct bpf_fib_lookup fib = {.family = node->next_hop_family,
				     .ifindex = node->egress_ifindex};
	if (node->next_hop_family == AF_INET6)
		__builtin_memcpy(fib.ipv6_dst, node->next_hop, 16);
	else
		__builtin_memcpy(&fib.ipv4_dst, node->next_hop, 4);
	return bpf_fib_lookup(skb, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT) ==
	       BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* Whether the packet may open a flow, or is of one that nobody opens. Later ones
 * of TCP stay: conntrack may not know their connection. */
static __always_inline bool may_begin(const struct transport *l4)
{
	return l4->is_first || l4->protocol == IPPROTO_UDP;
}

static __always_inline struct exit judge_way(struct __sk_buff *skb, const struct ethhdr *eth,
					     const struct flow *flow)
{
	const struct kubecni_flow_state *answer = &flow->answer;
	if (!answer->is_to_pod) {
		if (!answer->is_routed)
			return EXIT(PASS_OTHER_MAC);
		return may_begin(&flow->l4) && lacks_neighbour(skb, &answer->node)
			       ? EXIT(PASS_NO_NEIGHBOUR)
			       : CONTINUE;
	}
	const struct exit exit = judge_pod(&answer->pod);
	if (is_exit(exit))
		return exit;
	if (is_between_paced(flow))
		return EXIT(PASS_SHAPED);
	/* In mode ptp, the gateway is the way to every pod. */
	if (answer->is_routed || same_mac(eth->h_dest, answer->pod.pod_mac))
		return CONTINUE;
	return EXIT(PASS_OTHER_MAC);
}

/* Finds both ends: who sends, and to whom. */
static __always_inline struct exit find_ends(struct __sk_buff *skb, const int family,
					     struct flow *flow)
{
	struct walk walk = {.pkt = {.family = family}};
	if (!parse_headers(skb, &walk))
		return EXIT(DROP_SHORT_PACKET);
	struct exit exit = judge_sender(skb, &walk, flow);
	if (is_exit(exit))
		return exit;
	if (is_multicast_mac(walk.pkt.eth->h_dest))
		return EXIT(PASS_MULTICAST);
	exit = judge_ip_header(&walk.pkt);
	if (is_exit(exit))
		return exit;
	exit = find_receiver(&walk.pkt, flow);
	flow->is_elsewhere = is_exit(exit);
	return is_exit(exit) ? exit : judge_way(skb, walk.pkt.eth, flow);
}

GLOBAL_STAGE(, find_ends, find_ends)

static __always_inline struct exit on_ip(struct __sk_buff *skb, struct walk *walk,
					 struct flow *flow)
{
	const struct carry_exits exits = {.to_pod = REDIRECTED(FAST_TO_LOCAL_POD),
					  .to_node = REDIRECTED(FAST_TO_NODE),
					  .to_tunnel = REDIRECTED(FAST_TO_TUNNEL),
					  .elsewhere = EXIT(PASS_NO_NODE)};
	if (!pull_ip(&walk->cur, &walk->pkt))
		return EXIT(DROP_SHORT_PACKET);
	if (!is_sound(&walk->pkt)) {
		judge_other(skb, &flow->exit);
		return flow->exit;
	}
	if (is_checksum_misplaced(skb, &walk->pkt))
		return EXIT(DROP_MISPLACED_CHECKSUM);
	if (is_known(walk, flow))
		return carry_known(skb, walk->pkt.family, flow, &exits);
	if (is_control(&walk->pkt, &walk->cur)) {
		judge_control(skb, walk->pkt.family, &flow->exit);
		if (is_exit(flow->exit))
			return flow->exit;
	}
	RUN_STAGE(find_ends, skb, walk->pkt.family, flow);
	return decide_and_carry(skb, walk->pkt.family, flow, &exits);
}

static __always_inline struct exit on_frame(struct __sk_buff *skb)
{
	/* Pods have no use for a tag. With VID 0 the kernel ignores the tag,
	 * so the frame behind it would be accepted unchecked. */
	if (skb->vlan_present)
		return EXIT(DROP_TAGGED);
	struct walk walk = {.cur = cursor_at_headers(skb)};
	const struct ethhdr *eth = walk.pkt.eth = pull_eth(&walk.cur);
	if (!eth)
		return EXIT(DROP_SHORT_PACKET);
	if (is_bridge_mac(eth->h_dest))
		return EXIT(DROP_BRIDGE_CONTROL);
	struct flow flow = {.place = skb->ifindex, .generation = current_generation()};
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		walk.pkt.family = AF_INET;
		return on_ip(skb, &walk, &flow);
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		walk.pkt.family = AF_INET6;
		return on_ip(skb, &walk, &flow);
	}
	struct exit exit = CONTINUE;
	judge_other(skb, &exit);
	return exit;
}

/* Netfilter may change the source address. So the packet itself says at the
 * exits (judged.h) that its sender is policed. A global function: see
 * judge_control4(). */
__noinline int tell_sender(struct __sk_buff *skb)
{
	if (is_judged_mark_needed())
		set_ctx_u32(skb->tc_index, is_pod_policed(skb) ? KUBECNI_TC_INDEX_POLICED : 0);
	return 0;
}

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	const __u32 frame_len = skb->len;
	struct exit exit = on_frame(skb);
	if (exit.verdict == KUBECNI_VERDICT_PASS)
		tell_sender(skb);
	if (exit.verdict != KUBECNI_VERDICT_DROP && may_be_paced())
		pace(skb, frame_len, &exit);
	return leave(frame_len, exit);
}

char from_pod_license[] SEC("license") = "Dual BSD/GPL";
