/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors of routers and other nodes about what eBPF has carried. Conntrack
 * has not seen such a flow and would call the error INVALID, which kube-proxy's
 * rules drop. Anybody can send an ICMP error. So eBPF delivers only those that
 * quote a packet of a flow in the cache, to the pod that has sent it. The pod
 * checks them further, as on the kernel path (RFC 5927). */
#ifndef KUBECNI_BPF_ERRORS_H
#define KUBECNI_BPF_ERRORS_H

#include "flows.h"
#include "packet.h"
#include "transport.h"

/* How old the answer for the quoted packet may be. An error takes as long as
 * the way there and back, or as the router tries to find the next hop. */
#define QUOTED_NS (4 * ANSWER_NS)

/* From the Ethernet header to the quoted ports, or to an echo's identifier. */
static __always_inline __u32 error_len(int family)
{
	return ETH_HLEN + 2 * (ip_header_len(family) + sizeof(struct icmp_echo));
}

/* Whether the answer is of eBPF, for packets to another node as they are. */
static __always_inline bool has_left_by_ebpf(const struct kubecni_flow_state *answer,
					     __u32 generation)
{
	return is_ebpfs(answer) && !answer->is_translated && !answer->is_to_pod &&
	       answer->generation == generation &&
	       bpf_ktime_get_coarse_ns() - answer->decided_ns < QUOTED_NS;
}

/* Who carries the flow of the quoted packet: an owner as in the cache; 0: the
 * packet is no error of a router, or not about what eBPF carries. `place` is that
 * of the receiver. */
static __always_inline __u8 owner_of_quoted(struct __sk_buff *skb, const int family, __u32 place,
					    __u32 generation)
{
	struct packet pkt = {.family = family}, quoted = {.family = family};
	struct transport answer = {}, *l4 = &answer;
	struct cursor cur = cursor_at_start(skb, error_len(family));
	if (!pull_eth(&cur) || !pull_ip(&cur, &pkt))
		return 0;
	const struct icmp_echo *icmp = pull(&cur, sizeof(*icmp));
	if (!icmp || !is_error_type(icmp->type, family) || !read_quote(&cur, &pkt, &quoted, l4))
		return 0;
	/* Of the flow's other end: see read_error(). */
	if (same_addr(dst_of(&quoted), src_of(&pkt), family))
		return 0;

	union {
		struct kubecni_flow6 v6;
		struct kubecni_flow4 v4;
	} flow = {};
	if (family == AF_INET6)
		FILL_KEY(&flow.v6, 16, src_of(&quoted), dst_of(&quoted), l4->dst_port,
			 l4->src_port);
	else
		FILL_KEY(&flow.v4, 4, src_of(&quoted), dst_of(&quoted), l4->dst_port, l4->src_port);
	const struct kubecni_flow_state *found = bpf_map_lookup_elem(flows_of(family), &flow);
	if (!found || !has_left_by_ebpf(found, generation))
		return 0;
	const __u8 owner = found->owner;
	/* As in recall(). */
	asm volatile("" ::: "memory");
	return have_same_key(&flow, &found->flow, family) ? owner : 0;
}

#endif /* KUBECNI_BPF_ERRORS_H */
