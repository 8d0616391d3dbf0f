/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow cache: the answers for known flows. netfilter decides about a flow
 * with its first packets, and the programs ask the kernel's conntrack what it
 * decided. An answer holds all that a packet needs, and is valid for a second
 * at most: then, or if it is missing or evicted, the programs decide anew.
 *
 * from_pod, from_wire and from_tunnel have answers. to_pod, to_wire and
 * to_tunnel see exactly the packets of the kernel path. If netfilter has
 * translated one, an answer for the other direction may be wrong: they end it.
 *
 * Conntrack cannot be asked about ICMP echoes and SCTP, and on some kernels
 * about nothing at all. There, the answers to what the kernel path has carried
 * stay the kernel's. */
#ifndef KUBECNI_BPF_FLOWS_H
#define KUBECNI_BPF_FLOWS_H

#include "conntrack.h"
#include "maps.h"

#define NS_PER_S 1000000000ull
/* How long an answer is valid. So long may eBPF carry a flow on, whose entry
 * somebody deletes from conntrack. */
#define ANSWER_NS (1 * NS_PER_S)
/* How long an echo stays the kernel's after its last packet there:
 * conntrack's own timeout (nf_conntrack_icmp_timeout). */
#define ECHO_NS (30 * NS_PER_S)
/* The same for an association of SCTP: the longest time that a kernel's
 * conntrack keeps a silent one by default (nf_conntrack_sctp_timeout_established). */
#define SCTP_NS (5 * 24 * 3600 * NS_PER_S)
/* The same note is written again only after this time: a store per packet
 * would bounce the entry between the CPUs. */
#define REFRESH_NS (1 * NS_PER_S)

/* The `place` of packets from outside the node. */
#define FROM_OUTSIDE 0

static __always_inline void *flows_of(int family)
{
	return family == AF_INET6 ? (void *)&flows6 : (void *)&flows4;
}

#define FILL_KEY(key, size, from, to, from_port, to_port)                                          \
	do {                                                                                       \
		__builtin_memcpy((key)->src, from, size);                                          \
		__builtin_memcpy((key)->dst, to, size);                                            \
		__builtin_memcpy((key)->src_port, from_port, 2);                                   \
		__builtin_memcpy((key)->dst_port, to_port, 2);                                     \
		(key)->place = place;                                                              \
		(key)->proto = l4->protocol;                                                       \
	} while (0)

/* The key of the packet's direction. */
static __always_inline void fill_key(struct kubecni_flow_state *answer, const struct packet *pkt,
				     const struct transport *l4, __u32 place)
{
	if (pkt->family == AF_INET6)
		FILL_KEY(&answer->flow.v6, 16, src_of(pkt), dst_of(pkt), l4->src_port,
			 l4->dst_port);
	else
		FILL_KEY(&answer->flow.v4, 4, src_of(pkt), dst_of(pkt), l4->src_port, l4->dst_port);
}

/* The key of what answers the packet. */
static __always_inline void fill_key_of_reply(struct kubecni_flow_state *answer,
					      const struct packet *pkt, const struct transport *l4,
					      __u32 place)
{
	if (pkt->family == AF_INET6)
		FILL_KEY(&answer->flow.v6, 16, dst_of(pkt), src_of(pkt), l4->dst_port,
			 l4->src_port);
	else
		FILL_KEY(&answer->flow.v4, 4, dst_of(pkt), src_of(pkt), l4->dst_port, l4->src_port);
}

/* Whether two keys, of `family`, are the same. */
static __always_inline bool have_same_key(const void *a, const void *b, int family)
{
	const __u32 *x = a, *y = b;
	__u32 difference = 0;
	const int words =
		(family == AF_INET6 ? sizeof(struct kubecni_flow6) : sizeof(struct kubecni_flow4)) /
		4;
	for (int i = 0; i < words; i++)
		difference |= x[i] ^ y[i];
	/* Else clang 19 would branch for each word, and the verifier walk all
	 * combinations. */
	asm volatile("" : "+r"(difference));
	return !difference;
}

static __always_inline __u32 current_generation(void)
{
	const __u32 only = 0;
	const struct kubecni_generation *current = bpf_map_lookup_elem(&map_generation, &only);
	return current ? *(volatile const __u32 *)&current->number : 0;
}

/* Whether `answer`, of `generation` or another one, still holds. */
static __always_inline bool is_current(const struct kubecni_flow_state *answer,
				       const struct transport *l4, __u32 generation)
{
	const __u64 age_ns = bpf_ktime_get_coarse_ns() - answer->decided_ns;
	if (answer->owner == KUBECNI_FLOW_PASSED)
		return false;
	if (can_ask_conntrack(l4) || answer->owner != KUBECNI_FLOW_KERNEL)
		return answer->generation == generation && age_ns < ANSWER_NS;
#ifdef KUBECNI_NO_CONNTRACK
	return true;
#else
	return age_ns < (l4->protocol == IPPROTO_SCTP ? SCTP_NS : ECHO_NS);
#endif
}

/* Whether eBPF carries the flow. */
static __always_inline bool is_ebpfs(const struct kubecni_flow_state *answer)
{
	return answer->owner == KUBECNI_FLOW_EBPF || answer->owner == KUBECNI_FLOW_POLICED;
}

/* Reads the answer for the flow whose key is in `answer`. */
static __always_inline bool recall(struct kubecni_flow_state *answer, int family)
{
	const struct kubecni_flow_state *found =
		bpf_map_lookup_elem(flows_of(family), &answer->flow);
	if (!found)
		return false;
	__builtin_memcpy(&answer->generation, &found->generation,
			 sizeof(*answer) - offsetof(struct kubecni_flow_state, generation));
	/* The LRU may give the entry to another flow at any time. It writes
	 * the key first, so the key is read last. */
	asm volatile("" ::: "memory");
	return have_same_key(&answer->flow, &found->flow, family);
}

/* Keeps the answer, which was decided by maps of this generation. */
static __always_inline void remember(struct kubecni_flow_state *answer, int family,
				     __u32 generation)
{
	answer->decided_ns = bpf_ktime_get_coarse_ns();
	answer->generation = generation;
	bpf_map_update_elem(flows_of(family), &answer->flow, answer, BPF_ANY);
}

static __always_inline void forget(const struct kubecni_flow_state *answer, int family)
{
	bpf_map_delete_elem(flows_of(family), &answer->flow);
}

/* Whether an answer of eBPF to this packet would miss a translation, or the
 * handshake that conntrack waits for. */
static __always_inline bool is_netfilters(struct __sk_buff *skb, const struct packet *pkt,
					  const struct transport *l4)
{
	return ask_about_answer(skb, pkt, l4, NULL) > TRACKED;
}

/* Notes that the kernel path carries a packet of the flow. `place` is where the
 * answer will come from. */
static __always_inline void note_flow(struct __sk_buff *skb, const struct packet *pkt,
				      const struct transport *l4, __u32 place)
{
	if (l4->is_error)
		return;
	struct kubecni_flow_state answer = {};
	fill_key_of_reply(&answer, pkt, l4, place);
	const bool is_known = recall(&answer, pkt->family);
	if (can_ask_conntrack(l4)) {
		if (is_known && is_ebpfs(&answer) && !answer.is_translated &&
		    is_netfilters(skb, pkt, l4))
			forget(&answer, pkt->family);
		return;
	}
	if (is_known && answer.owner == KUBECNI_FLOW_KERNEL &&
	    bpf_ktime_get_coarse_ns() - answer.decided_ns < REFRESH_NS)
		return;
	answer.owner = KUBECNI_FLOW_KERNEL;
	remember(&answer, pkt->family, 0);
}

static __always_inline void note_packet(struct __sk_buff *skb, const int family, __u32 place)
{
	struct walk walk = {.pkt = {.family = family}};
	struct transport l4;
	if (parse_headers(skb, &walk) && has_transport(&walk.pkt) &&
	    read_transport(&walk.cur, &walk.pkt, &l4) == READ_FLOW)
		note_flow(skb, &walk.pkt, &l4, place);
}

/* Global functions: see judge_control4(). Weak, since several objects have
 * them. */
__weak __noinline int note4(struct __sk_buff *skb, __u32 place)
{
	note_packet(skb, AF_INET, place);
	return 0;
}

__weak __noinline int note6(struct __sk_buff *skb, __u32 place)
{
	note_packet(skb, AF_INET6, place);
	return 0;
}

/* Notes that the kernel path carries the packet. */
static __always_inline void note_kernel_packet(struct __sk_buff *skb, int family, __u32 place)
{
	if (family == AF_INET6)
		note6(skb, place);
	else
		note4(skb, place);
}

#endif /* KUBECNI_BPF_FLOWS_H */
