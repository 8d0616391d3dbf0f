/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Delivering what pods of other nodes send to pods of this one: what from_wire
 * and from_tunnel have in common. Everything else is the host's: also what a
 * node itself sends to a pod, since the answer to that goes by the kernel. */
#ifndef KUBECNI_BPF_DELIVER_H
#define KUBECNI_BPF_DELIVER_H

#include "carry.h"
#include "exits.h"
#include "lookup.h"
#include "packet.h"

static __always_inline struct exit deliver_ip(struct __sk_buff *skb, const int family,
					      const struct exit delivered)
{
	struct packet pkt = {.family = family};
	struct cursor cur = cursor_at_headers(skb);
	pkt.eth = pull_eth(&cur);
	if (!pkt.eth || !pull_ip(&cur, &pkt) || !is_sound(&pkt))
		return EXIT(PASS_NOT_IP);
	struct kubecni_endpoint *pod = endpoint_of(cluster_network(), dst_of(&pkt), family);
	if (!pod)
		return EXIT(PASS_NO_ENDPOINT);
	struct exit exit = judge_pod(pod);
	if (is_exit(exit))
		return exit;
	if (!is_remote_pod(src_of(&pkt), family))
		return EXIT(PASS_NOT_FROM_POD);
	exit = judge_ip_header(&pkt);
	if (is_exit(exit))
		return exit;
	exit = judge_hops(&pkt);
	if (is_exit(exit))
		return exit;

	struct transport l4;
	exit = judge_flow(skb, &cur, &pkt, &l4);
	if (is_exit(exit))
		return exit;

	spend_hop(skb, &pkt);
	__builtin_memcpy(pkt.eth->h_dest, pod->pod_mac, ETH_ALEN);
	__builtin_memcpy(pkt.eth->h_source, pod->gateway_mac, ETH_ALEN);
	redirect_into(skb, pod);
	return delivered;
}

/* `delivered` is the exit of what goes into a pod. */
static __always_inline struct exit deliver(struct __sk_buff *skb, const struct exit delivered)
{
	/* That is the traffic of a VLAN device above this one. */
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
