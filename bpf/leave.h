/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Watches packets that leave the node, for to_wire and to_tunnel. Packets
 * that eBPF sent to another node carry a mark, which is cleared here. The
 * others took the kernel path. What netfilter should have judged and has not is
 * dropped; flows between pods are noted. */
#ifndef KUBECNI_BPF_LEAVE_H
#define KUBECNI_BPF_LEAVE_H

#include "exits.h"
#include "flows.h"
#include "judged.h"
#include "lookup.h"
#include "packet.h"
#include "policed.h"

/* The exits of the device. */
struct leave_exits {
	struct exit fast;
	struct exit between_pods;
	struct exit other;
};

static __always_inline struct exit watch_ip(struct __sk_buff *skb, const int family,
					    const struct leave_exits exits)
{
	struct packet pkt = {.family = family};
	struct cursor cur = cursor_at_headers(skb);
	if (!pull_eth(&cur) || !pull_ip(&cur, &pkt) || !is_sound(&pkt) ||
	    !is_remote_pod(dst_of(&pkt), family))
		return exits.other;
	const struct kubecni_endpoint *sender =
		endpoint_of(cluster_network(), src_of(&pkt), family);
	if (!sender && !is_remote_pod(src_of(&pkt), family))
		return exits.other;

	if (is_policed(sender))
		note_passed_packet(skb, family, cluster_network());
	note_kernel_packet(skb, family, FROM_OUTSIDE);
	return exits.between_pods;
}

static __always_inline struct exit watch_leaving(struct __sk_buff *skb,
						 const struct leave_exits exits)
{
	if (skb->mark & KUBECNI_MARK_FAST) {
		set_ctx_u32(skb->mark, skb->mark & ~KUBECNI_MARK_FAST);
		return exits.fast;
	}
	const bool is_ip =
		skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6);
	if (is_ip && lacks_judgement_of_sender(skb))
		return EXIT(DROP_NOT_JUDGED);
	clear_judgement(skb);
	if (is_vlan_tagged(skb))
		return exits.other;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return watch_ip(skb, AF_INET, exits);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return watch_ip(skb, AF_INET6, exits);
	return exits.other;
}

#endif /* KUBECNI_BPF_LEAVE_H */
