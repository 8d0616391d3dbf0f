/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Delivers packets from pods of other nodes to pods of this one, for
 * from_wire and from_tunnel. The host gets everything else, also what a node
 * itself sends to a pod: the answer to that takes the kernel path. */
#ifndef KUBECNI_BPF_DELIVER_H
#define KUBECNI_BPF_DELIVER_H

#include "carry.h"
#include "exits.h"
#include "lookup.h"
#include "packet.h"

/* An arriving packet, and what the stages find out about it. */
struct arrival {
	struct packet pkt;
	struct cursor cur;
	struct kubecni_endpoint pod;
};

static __always_inline struct exit parse_arrival(struct __sk_buff *skb, struct arrival *in)
{
	in->cur = cursor_at_headers(skb);
	in->pkt.eth = pull_eth(&in->cur);
	if (!in->pkt.eth || !pull_ip(&in->cur, &in->pkt) || !is_sound(&in->pkt))
		return EXIT(PASS_NOT_IP);
	return CONTINUE;
}

static __always_inline struct exit decide_arrival(struct __sk_buff *skb, struct arrival *in)
{
	const int family = in->pkt.family;
	if (!read_endpoint(cluster_network(), dst_of(&in->pkt), family, &in->pod))
		return EXIT(PASS_NO_ENDPOINT);
	struct exit exit = judge_pod(&in->pod);
	if (is_exit(exit))
		return exit;
	if (!is_remote_pod(src_of(&in->pkt), family))
		return EXIT(PASS_NOT_FROM_POD);
	exit = judge_ip_header(&in->pkt);
	if (is_exit(exit))
		return exit;
	exit = judge_hops(&in->pkt);
	if (is_exit(exit))
		return exit;
	struct transport l4;
	return judge_flow(skb, &in->cur, &in->pkt, &l4);
}

/* Changes the packet as the kernel's routing would. */
static __always_inline void act_on_arrival(struct __sk_buff *skb, struct arrival *in)
{
	spend_hop(skb, &in->pkt);
	__builtin_memcpy(in->pkt.eth->h_dest, in->pod.pod_mac, ETH_ALEN);
	__builtin_memcpy(in->pkt.eth->h_source, in->pod.gateway_mac, ETH_ALEN);
	redirect_into(skb, &in->pod);
}

static __always_inline struct exit deliver_ip(struct __sk_buff *skb, const int family,
					      const struct exit delivered)
{
	struct arrival in = {.pkt = {.family = family}};
	struct exit exit = parse_arrival(skb, &in);
	if (is_exit(exit))
		return exit;
	exit = decide_arrival(skb, &in);
	if (is_exit(exit))
		return exit;
	act_on_arrival(skb, &in);
	return delivered;
}

/* `delivered` is the exit for a packet that goes into a pod. */
static __always_inline struct exit deliver(struct __sk_buff *skb, const struct exit delivered)
{
	/* It belongs to a VLAN device on top of this one. */
	if (is_vlan_tagged(skb))
		return EXIT(PASS_VLAN);
	const bool is_v4 = skb->protocol == bpf_htons(ETH_P_IP);
	if (!is_v4 && skb->protocol != bpf_htons(ETH_P_IPV6))
		return EXIT(PASS_NOT_IP);
	if (skb->pkt_type != PACKET_HOST)
		return EXIT(PASS_NOT_TO_HOST);
	return is_v4 ? deliver_ip(skb, AF_INET, delivered) : deliver_ip(skb, AF_INET6, delivered);
}

#endif /* KUBECNI_BPF_DELIVER_H */
