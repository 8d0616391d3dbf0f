/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Delivers packets from pods of other nodes to pods of this one, and carries
 * those that netfilter translates, for from_wire and from_tunnel. The host
 * gets everything else, also what a node itself sends to a pod: the answer to
 * that takes the kernel path. */
#ifndef KUBECNI_BPF_DELIVER_H
#define KUBECNI_BPF_DELIVER_H

#include "carry.h"
#include "errors.h"
#include "exits.h"
#include "lookup.h"
#include "packet.h"

static __always_inline struct exit parse_arrival(struct __sk_buff *skb, struct walk *walk)
{
	walk->cur = cursor_at_headers(skb);
	walk->pkt.eth = pull_eth(&walk->cur);
	if (!walk->pkt.eth || !pull_ip(&walk->cur, &walk->pkt) || !is_sound(&walk->pkt))
		return EXIT(PASS_NOT_IP);
	return CONTINUE;
}

/* Whether the packet may be an ICMP error of a router: of anybody but a pod of
 * this node. */
static __always_inline bool may_be_router(const struct packet *pkt)
{
	return HAS_CONNTRACK && is_icmp(pkt) && !node_of(src_of(pkt), pkt->family);
}

/* Finds the receiver, a pod of this node, for a pod of another one, or for who
 * sends an error about what the receiver has sent to another node. */
static __always_inline struct exit find_ends(struct __sk_buff *skb, const int family,
					     struct flow *flow)
{
	struct walk walk = {.pkt = {.family = family}};
	const struct exit exit = parse_arrival(skb, &walk);
	if (is_exit(exit))
		return exit;
	struct kubecni_flow_state *answer = &flow->answer;
	clear_answer(flow, true);
	flow->network = cluster_network();
	answer->is_to_pod = read_endpoint(flow->network, dst_of(&walk.pkt), family, &answer->pod);
	if (!answer->is_to_pod) {
		flow->is_elsewhere = is_plain(&walk.pkt) && !flow->is_outer;
		return EXIT(PASS_NO_ENDPOINT);
	}
	flow->is_policed = is_policed(&answer->pod);
	const struct exit unable = judge_pod(&answer->pod);
	if (is_exit(unable))
		return unable;
	const bool is_from_pod = is_remote_pod(src_of(&walk.pkt), family);
	if (!is_from_pod && !may_be_router(&walk.pkt))
		return EXIT(PASS_NOT_FROM_POD);
	const struct exit unplain = judge_ip_header(&walk.pkt);
	if (is_exit(unplain))
		return unplain;
	if (hops_of(&walk.pkt) <= 1)
		return EXIT(PASS_TTL_EXPIRED);
	if (HAS_CONNTRACK && is_icmp(&walk.pkt))
		answer->owner =
			owner_of_quoted(skb, family, answer->pod.host_ifindex, flow->generation);
	return is_from_pod || is_decided(flow) ? CONTINUE : EXIT(PASS_NOT_FROM_POD);
}

GLOBAL_STAGE(__weak, find_ends_of_arrival, find_ends)

static __always_inline struct exit deliver_ip(struct __sk_buff *skb, const int family,
					      struct flow *flow, const struct carry_exits *exits)
{
	struct walk walk = {.pkt = {.family = family}};
	const struct exit exit = parse_arrival(skb, &walk);
	if (is_exit(exit))
		return exit;
	if (is_known(&walk, flow))
		return carry_known(skb, family, flow, exits);
	RUN_STAGE(find_ends_of_arrival, skb, family, flow);
	return decide_and_carry(skb, family, flow, exits);
}

/* `delivered` is the exit for a packet that goes into a pod. */
static __always_inline struct exit deliver(struct __sk_buff *skb, const struct exit delivered)
{
	/* Only translated packets go elsewhere than into a pod. */
	const struct carry_exits exits = {.to_pod = delivered,
					  .to_node = REDIRECTED(FAST_TRANSLATED_TO_HOST),
					  .to_tunnel = REDIRECTED(FAST_TRANSLATED_TO_HOST),
					  .elsewhere = EXIT(PASS_NO_ENDPOINT)};
	/* It belongs to a VLAN device on top of this one. */
	if (is_vlan_tagged(skb))
		return EXIT(PASS_VLAN);
	const bool is_v4 = skb->protocol == bpf_htons(ETH_P_IP);
	if (!is_v4 && skb->protocol != bpf_htons(ETH_P_IPV6))
		return EXIT(PASS_NOT_IP);
	if (skb->pkt_type != PACKET_HOST)
		return EXIT(PASS_NOT_TO_HOST);
	struct flow flow = {.place = FROM_OUTSIDE, .generation = current_generation()};
	return is_v4 ? deliver_ip(skb, AF_INET, &flow, &exits)
		     : deliver_ip(skb, AF_INET6, &flow, &exits);
}

#endif /* KUBECNI_BPF_DELIVER_H */
