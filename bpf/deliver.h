/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Delivering what pods of other nodes send to pods of this one: what from_wire
 * and from_tunnel have in common. Everything else is the host's: also what a
 * node itself sends to a pod, since the answer to that goes by the kernel. */
#ifndef KUBECNI_BPF_DELIVER_H
#define KUBECNI_BPF_DELIVER_H

#include "exits.h"
#include "flows.h"
#include "lookup.h"
#include "packet.h"

static __always_inline int deliver_ip(struct __sk_buff *skb, const int family,
				      const __u32 fast_reason)
{
	struct packet pkt = {.family = family};
	struct cursor cur = cursor_at_headers(skb);
	pkt.eth = pull_eth(&cur);
	if (!pkt.eth || !pull_ip(&cur, &pkt) || !is_sound(&pkt))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_IP);
	struct kubecni_endpoint *pod = endpoint_of(cluster_network(), dst_of(&pkt), family);
	if (!pod)
		return leave_to_kernel(skb, KUBECNI_PASS_NO_ENDPOINT);
	if (!(pod->flags & KUBECNI_ENDPOINT_READY))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_READY);
	if (pod->flags & KUBECNI_ENDPOINT_SHAPED)
		return leave_to_kernel(skb, KUBECNI_PASS_SHAPED);
	if (!is_remote_pod(src_of(&pkt), family))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_FROM_POD);
	int reason = unusual_header(&pkt);
	if (reason >= 0)
		return leave_to_kernel(skb, reason);
	if (hops_of(&pkt) <= 1)
		return leave_to_kernel(skb, KUBECNI_PASS_TTL_EXPIRED);

	struct transport l4;
	reason = read_transport(&cur, &pkt, &l4);
	if (reason == KUBECNI_DROP_SHORT_PACKET)
		return drop(skb, reason);
	if (reason >= 0)
		return leave_to_kernel(skb, reason);
	if (is_kernel_flow(skb, &pkt, &l4))
		return leave_to_kernel(skb, KUBECNI_PASS_KERNEL_FLOW);

	count(skb, fast_reason);
	spend_hop(skb, &pkt);
	__builtin_memcpy(pkt.eth->h_dest, pod->pod_mac, ETH_ALEN);
	__builtin_memcpy(pkt.eth->h_source, pod->gateway_mac, ETH_ALEN);
	set_ctx_u32(skb->mark, 0);
	return bpf_redirect_peer(pod->host_ifindex, 0);
}

static __always_inline int deliver(struct __sk_buff *skb, const __u32 fast_reason)
{
	/* That is the traffic of a VLAN device above this one. */
	if (is_vlan_tagged(skb))
		return leave_to_kernel(skb, KUBECNI_PASS_VLAN);
	const bool is_v4 = skb->protocol == bpf_htons(ETH_P_IP);
	if (!is_v4 && skb->protocol != bpf_htons(ETH_P_IPV6))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_IP);
	if (skb->pkt_type != PACKET_HOST)
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_TO_HOST);
	return is_v4 ? deliver_ip(skb, AF_INET, fast_reason)
		     : deliver_ip(skb, AF_INET6, fast_reason);
}

#endif /* KUBECNI_BPF_DELIVER_H */
