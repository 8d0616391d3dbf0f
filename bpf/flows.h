/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Path symmetry: if netfilter translates one direction of a flow, the other
 * must not be redirected, or the translation is not undone. The programs ask
 * the kernel's conntrack whether a flow is translated, and keep its answer
 * for some seconds.
 *
 * from_pod, from_wire and from_tunnel ask before they redirect. to_pod,
 * to_wire and to_tunnel see exactly the packets of the kernel path. They
 * mark a flow as the kernel's with the first packet that is translated. If
 * an entry is missing, evicted or out of date, the programs ask once more.
 *
 * Conntrack cannot be asked about an ICMP echo, and on some kernels about
 * nothing at all. There, a flow between pods stays the kernel's once the
 * kernel path has carried it. */
#ifndef KUBECNI_BPF_FLOWS_H
#define KUBECNI_BPF_FLOWS_H

#include "conntrack.h"
#include "maps.h"

#define NS_PER_S 1000000000ull
/* How long an answer of conntrack is valid. */
#define VERDICT_NS (5 * NS_PER_S)
/* How long an echo stays the kernel's after its last packet there:
 * conntrack's own timeout (nf_conntrack_icmp_timeout). */
#define ECHO_NS (30 * NS_PER_S)
/* The same verdict is written again only after this time: a store per packet
 * would bounce the entry between the CPUs. */
#define REFRESH_NS (1 * NS_PER_S)

union flow_key {
	struct kubecni_flow4 v4;
	struct kubecni_flow6 v6;
};

struct flow {
	void *map;
	union flow_key key;
	struct kubecni_flow_state *known;
	__u64 now;
};

/* Whether the source comes first in the key. Any order will do if it is the
 * same in both directions. */
static __always_inline bool is_src_first(const struct packet *pkt, const struct transport *l4)
{
	const __u32 *src = src_of(pkt), *dst = dst_of(pkt);
	__u16 src_port, dst_port;

	if (src[0] != dst[0])
		return src[0] < dst[0];
	if (pkt->family == AF_INET6) {
		if (src[1] != dst[1])
			return src[1] < dst[1];
		if (src[2] != dst[2])
			return src[2] < dst[2];
		if (src[3] != dst[3])
			return src[3] < dst[3];
	}
	__builtin_memcpy(&src_port, l4->src_port, 2);
	__builtin_memcpy(&dst_port, l4->dst_port, 2);
	return src_port < dst_port;
}

#define FILL_KEY(key, size)                                                                        \
	do {                                                                                       \
		__builtin_memcpy((key)->addr_lo, src_first ? src_of(pkt) : dst_of(pkt), size);     \
		__builtin_memcpy((key)->addr_hi, src_first ? dst_of(pkt) : src_of(pkt), size);     \
		__builtin_memcpy((key)->port_lo, src_first ? l4->src_port : l4->dst_port, 2);      \
		__builtin_memcpy((key)->port_hi, src_first ? l4->dst_port : l4->src_port, 2);      \
		(key)->proto = l4->protocol;                                                       \
	} while (0)

static __always_inline void find_flow(const struct packet *pkt, const struct transport *l4,
				      struct flow *flow)
{
	const bool src_first = is_src_first(pkt, l4);
	if (pkt->family == AF_INET6) {
		flow->map = &flows6;
		flow->key.v6 = (struct kubecni_flow6){};
		FILL_KEY(&flow->key.v6, 16);
	} else {
		flow->map = &flows4;
		flow->key.v4 = (struct kubecni_flow4){};
		FILL_KEY(&flow->key.v4, 4);
	}
	flow->known = bpf_map_lookup_elem(flow->map, &flow->key);
	flow->now = bpf_ktime_get_coarse_ns();
}

/* Whether the known verdict is still valid. */
static __always_inline bool is_current(const struct flow *flow, const struct transport *l4)
{
#ifdef KUBECNI_NO_CONNTRACK
	(void)l4;
	return flow->known;
#else
	if (!flow->known)
		return false;
	return flow->now - flow->known->decided_ns < (can_ask_conntrack(l4) ? VERDICT_NS : ECHO_NS);
#endif
}

static __always_inline void remember(struct flow *flow, __u32 owner)
{
	if (flow->known && flow->known->owner == owner &&
	    flow->now - flow->known->decided_ns < REFRESH_NS)
		return;
	struct kubecni_flow_state state = {.decided_ns = flow->now, .owner = owner};
	/* Not in place: the LRU may have given the entry to another flow by
	 * now. */
	bpf_map_update_elem(flow->map, &flow->key, &state, BPF_ANY);
}

/* Whether a packet that eBPF could carry has to be left to the kernel. */
static __always_inline bool is_kernel_flow(struct __sk_buff *skb, const struct packet *pkt,
					   const struct transport *l4)
{
	struct flow flow;
	find_flow(pkt, l4, &flow);
	if (is_current(&flow, l4))
		return flow.known->owner == KUBECNI_FLOW_KERNEL;
	if (!can_ask_conntrack(l4))
		return false;
	const __u32 owner = is_netfilters(skb, pkt, l4) ? KUBECNI_FLOW_KERNEL : KUBECNI_FLOW_EBPF;
	remember(&flow, owner);
	return owner == KUBECNI_FLOW_KERNEL;
}

/* Notes that the kernel path carries a packet of the flow. If netfilter does
 * nothing to it, the next packet may go by eBPF. */
static __always_inline void note_kernel_flow(struct __sk_buff *skb, const struct packet *pkt,
					     const struct transport *l4)
{
	if (l4->is_error)
		return;
	struct flow flow;
	find_flow(pkt, l4, &flow);
	if (!can_ask_conntrack(l4))
		return remember(&flow, KUBECNI_FLOW_KERNEL);
	if (is_current(&flow, l4) && flow.known->owner == KUBECNI_FLOW_KERNEL)
		return;
	remember(&flow, is_netfilters(skb, pkt, l4) ? KUBECNI_FLOW_KERNEL : KUBECNI_FLOW_EBPF);
}

#endif /* KUBECNI_BPF_FLOWS_H */
