/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Asks the kernel's conntrack what netfilter makes of a flow. Needs kernel
 * 6.0, the module nf_conntrack, and BTF. The build for other kernels defines
 * KUBECNI_NO_CONNTRACK. */
#ifndef KUBECNI_BPF_CONNTRACK_H
#define KUBECNI_BPF_CONNTRACK_H

#include "transport.h"

/* What conntrack says about a packet. */
enum tracking {
	UNTRACKED,	      /* it has no such flow */
	TRACKED_YOUNG,	      /* netfilter changes nothing, and has to see more of it */
	TRACKED,	      /* netfilter changes nothing */
	TRACKED_HANDSHAKE,    /* the same, but it has not seen the answer to a SYN yet */
	TRANSLATED,	      /* netfilter changes the packet's addresses or ports */
	TRANSLATED_HANDSHAKE, /* the same, but the flow begins or ends */
	TRANSLATED_SPECIAL,   /* netfilter changes more than that */
};

#ifdef KUBECNI_NO_CONNTRACK

#define HAS_CONNTRACK false

static __always_inline bool can_ask_conntrack(const struct transport *l4)
{
	(void)l4;
	return false;
}

static __always_inline enum tracking ask_conntrack(struct __sk_buff *skb, const struct packet *pkt,
						   const struct transport *l4,
						   struct kubecni_translation *translation)
{
	(void)skb, (void)pkt, (void)l4, (void)translation;
	return UNTRACKED;
}

static __always_inline enum tracking ask_about_answer(struct __sk_buff *skb,
						      const struct packet *pkt,
						      const struct transport *l4,
						      struct kubecni_translation *translation)
{
	(void)skb, (void)pkt, (void)l4, (void)translation;
	return UNTRACKED;
}

#else

#define HAS_CONNTRACK true

/* Looks up the flow of which `tuple` is a packet. With `translation`, which may
 * be NULL, prolongs the life in conntrack of a flow that is TRACKED or
 * TRANSLATED, and fills it if netfilter translates the flow.
 *
 * Defined in conntrack.bpf.c: libbpf 1.1 cannot link two objects that name
 * the same kernel function ("failed to resolve size of underlying type"). */
__hidden enum tracking look_up_tuple(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
				     __u32 tuple_len, __u8 protocol,
				     struct kubecni_translation *translation);

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

/* About a packet that netfilter has not translated yet. */
static __always_inline enum tracking ask_conntrack(struct __sk_buff *skb, const struct packet *pkt,
						   const struct transport *l4,
						   struct kubecni_translation *translation)
{
	struct bpf_sock_tuple tuple = {};
	const __u32 len = fill_tuple(&tuple, pkt->family, src_of(pkt), dst_of(pkt), l4->src_port,
				     l4->dst_port);
	return look_up_tuple(skb, &tuple, len, l4->protocol, translation);
}

/* About what answers the packet, if the other end gets the packet as it is.
 * Conntrack knows a packet that it has translated only in this way. */
static __always_inline enum tracking ask_about_answer(struct __sk_buff *skb,
						      const struct packet *pkt,
						      const struct transport *l4,
						      struct kubecni_translation *translation)
{
	struct bpf_sock_tuple tuple = {};
	const __u32 len = fill_tuple(&tuple, pkt->family, dst_of(pkt), src_of(pkt), l4->dst_port,
				     l4->src_port);
	return look_up_tuple(skb, &tuple, len, l4->protocol, translation);
}

#endif /* KUBECNI_NO_CONNTRACK */

#endif /* KUBECNI_BPF_CONNTRACK_H */
