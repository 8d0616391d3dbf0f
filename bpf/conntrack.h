/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Asks the kernel's conntrack whether netfilter has to see a flow. Needs
 * kernel 5.18, the module nf_conntrack, and BTF. The build for other kernels
 * defines KUBECNI_NO_CONNTRACK. */
#ifndef KUBECNI_BPF_CONNTRACK_H
#define KUBECNI_BPF_CONNTRACK_H

#include "transport.h"

#ifdef KUBECNI_NO_CONNTRACK

static __always_inline bool can_ask_conntrack(const struct transport *l4)
{
	(void)l4;
	return false;
}

static __always_inline bool is_netfilters(struct __sk_buff *skb, const struct packet *pkt,
					  const struct transport *l4)
{
	(void)skb, (void)pkt, (void)l4;
	return true;
}

#else

/* Whether netfilter has to see both directions of the flow that `tuple`
 * belongs to. False if conntrack has no such tuple.
 *
 * Defined in conntrack.bpf.c: libbpf 1.1 cannot link two objects that name
 * the same kernel function ("failed to resolve size of underlying type"). */
__hidden bool is_tuple_netfilters(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
				  __u32 tuple_len, __u8 protocol);

/* The kernel looks up no other protocols. */
static __always_inline bool can_ask_conntrack(const struct transport *l4)
{
	return l4->protocol == IPPROTO_TCP || l4->protocol == IPPROTO_UDP;
}

static __always_inline __u32 fill_tuple(struct bpf_sock_tuple *tuple, int family, const void *src,
					const void *dst, const __u8 *src_port, const __u8 *dst_port)
{
	if (family == AF_INET6) {
		__builtin_memcpy(tuple->ipv6.saddr, src, 16);
		__builtin_memcpy(tuple->ipv6.daddr, dst, 16);
		__builtin_memcpy(&tuple->ipv6.sport, src_port, 2);
		__builtin_memcpy(&tuple->ipv6.dport, dst_port, 2);
		return sizeof(tuple->ipv6);
	}
	__builtin_memcpy(&tuple->ipv4.saddr, src, 4);
	__builtin_memcpy(&tuple->ipv4.daddr, dst, 4);
	__builtin_memcpy(&tuple->ipv4.sport, src_port, 2);
	__builtin_memcpy(&tuple->ipv4.dport, dst_port, 2);
	return sizeof(tuple->ipv4);
}

/* The same for a packet. Conntrack has one tuple per direction, each after
 * translation. The packet may match either, so both are looked up. */
static __always_inline bool is_netfilters(struct __sk_buff *skb, const struct packet *pkt,
					  const struct transport *l4)
{
	struct bpf_sock_tuple tuple = {};
	const __u8 protocol = l4->protocol;
	__u32 len = fill_tuple(&tuple, pkt->family, src_of(pkt), dst_of(pkt), l4->src_port,
			       l4->dst_port);
	if (is_tuple_netfilters(skb, &tuple, len, protocol))
		return true;
	fill_tuple(&tuple, pkt->family, dst_of(pkt), src_of(pkt), l4->dst_port, l4->src_port);
	return is_tuple_netfilters(skb, &tuple, len, protocol);
}

#endif /* KUBECNI_NO_CONNTRACK */

#endif /* KUBECNI_BPF_CONNTRACK_H */
