/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Path symmetry: a flow that the kernel path carries in one direction must not
 * be redirected in the other, or netfilter sees half of it and its NAT is not
 * undone. to_pod and to_wire see exactly what came by the kernel and record
 * it; the other programs leave recorded flows alone. */
#ifndef KUBECNI_BPF_FLOWS_H
#define KUBECNI_BPF_FLOWS_H

#include "maps.h"
#include "packet.h"

static __always_inline struct kubecni_flow4 flow_of(const struct iphdr *ip,
						    const struct transport *l4)
{
	struct kubecni_flow4 flow = {.proto = ip->protocol};
	__u16 src_port, dst_port;

	__builtin_memcpy(&src_port, l4->src_port, 2);
	__builtin_memcpy(&dst_port, l4->dst_port, 2);
	/* Any order will do, as long as it is the same in both directions. */
	bool src_first = ip->saddr < ip->daddr || (ip->saddr == ip->daddr && src_port < dst_port);
	__builtin_memcpy(flow.addr_lo, src_first ? &ip->saddr : &ip->daddr, 4);
	__builtin_memcpy(flow.addr_hi, src_first ? &ip->daddr : &ip->saddr, 4);
	__builtin_memcpy(flow.port_lo, src_first ? l4->src_port : l4->dst_port, 2);
	__builtin_memcpy(flow.port_hi, src_first ? l4->dst_port : l4->src_port, 2);
	return flow;
}

static __always_inline bool is_kernel_flow(const struct iphdr *ip, const struct transport *l4)
{
	struct kubecni_flow4 flow = flow_of(ip, l4);
	return bpf_map_lookup_elem(&kernel_flows4, &flow);
}

/* How long a recorded flow is not written again: a store per packet would
 * bounce the entry between the CPUs. */
#define FLOW_REFRESH_NS 1000000000ull

static __always_inline void record_kernel_flow(const struct iphdr *ip, const struct transport *l4,
					       __u32 owner)
{
	struct kubecni_flow4 flow = flow_of(ip, l4);
	__u64 now = bpf_ktime_get_ns();
	struct kubecni_flow_state *known = bpf_map_lookup_elem(&kernel_flows4, &flow);
	if (known) {
		if (now - known->last_seen_ns > FLOW_REFRESH_NS)
			known->last_seen_ns = now;
		return;
	}
	struct kubecni_flow_state state = {.last_seen_ns = now, .owner = owner};
	bpf_map_update_elem(&kernel_flows4, &flow, &state, BPF_ANY);
}

#endif /* KUBECNI_BPF_FLOWS_H */
