/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The limit of what a pod sends, where eBPF carries it past the kernel's
 * disciplines. Each packet of the pod moves its clock on, whatever its path. What
 * eBPF sends gets a departure time, which fq of the NIC keeps (EDT). What takes the
 * kernel path waits in the disciplines there. So the limit is one for both
 * paths, and it is kept by drops if nobody heeds the departure times. */
#ifndef KUBECNI_BPF_PACE_H
#define KUBECNI_BPF_PACE_H

#include "exits.h"
#include "flows.h"
#include "lookup.h"
#include "packet.h"

/* How often to try while other CPUs move the clock, too. */
#define CLOCK_TRIES 8

/* Whether the pod that sends the packet has a pacer. */
static __always_inline bool is_paced(const struct __sk_buff *skb)
{
	const __u32 ifindex = skb->ifindex;
	return may_be_paced() && bpf_map_lookup_elem(&pacers, &ifindex);
}

/* Longest headers of a segment: Ethernet, IPv6, TCP with all options, and those of a
 * tunnel of the pod's own. */
#define LONGEST_HEADERS 180
#define SMALL_SEGMENT 1000

/* The bytes of all segments. How long their headers are is a guess: those of TCP
 * with timestamps, or in small segments, where they count, the longest. The pod may
 * have chosen `gso_size`, and `gso_segs` is not always known. */
static __always_inline __u64 wire_bytes(const struct __sk_buff *skb, __u32 frame_len)
{
	__u32 headers = ETH_HLEN + sizeof(struct tcphdr) + 12 +
			(skb->protocol == bpf_htons(ETH_P_IPV6) ? sizeof(struct ipv6hdr)
								: sizeof(struct iphdr));
	if (!skb->gso_size || frame_len <= headers)
		return frame_len;
	const __u64 full = 1 + (frame_len - headers - 1) / skb->gso_size;
	const __u64 segments = full < skb->gso_segs ? skb->gso_segs : full;
	if (skb->gso_size < SMALL_SEGMENT)
		headers = LONGEST_HEADERS;
	return frame_len + (segments - 1) * headers;
}

/* Moves the clock on by `cost`. False: it is too far ahead already. `departure`
 * is when the packet may leave: the virtual scheduling of ITU-T I.371. */
static __always_inline bool move_clock(struct kubecni_pacer *pacer, __u64 now, __u64 cost,
				       __u64 *departure)
{
	const __u64 earliest = now - pacer->burst_ns;
	const __u64 latest = now + pacer->queue_ns;
	for (int i = 0; i < CLOCK_TRIES; i++) {
		const __u64 clock = *(volatile __u64 *)&pacer->clock_ns;
		const __u64 start = (__s64)(clock - earliest) < 0 ? earliest : clock;
		if ((__s64)(start - latest) > 0)
			return false;
		*departure = start;
		if (__sync_val_compare_and_swap(&pacer->clock_ns, clock, start + cost) == clock)
			return true;
	}
	*departure = __sync_fetch_and_add(&pacer->clock_ns, cost);
	return true;
}

/* A global function: see judge_control4(). */
__noinline int pace(struct __sk_buff *skb, __u32 frame_len, struct exit *exit)
{
	const __u32 ifindex = skb->ifindex;
	struct kubecni_pacer *pacer = bpf_map_lookup_elem(&pacers, &ifindex);
	if (!exit || !pacer || !pacer->bytes_per_s)
		return 0;
	const __u64 now = bpf_ktime_get_ns();
	const __u64 cost = wire_bytes(skb, frame_len) * NS_PER_S / pacer->bytes_per_s;
	__u64 departure;
	if (!move_clock(pacer, now, cost, &departure)) {
		*exit = EXIT(DROP_OVER_LIMIT);
		return 0;
	}
	/* Also in the place of a time that the pod has chosen: it would leave later, and
	 * together with others. */
	if (exit->verdict == KUBECNI_VERDICT_REDIRECT)
		bpf_skb_set_tstamp(skb, (__s64)(departure - now) < 0 ? now : departure,
				   BPF_SKB_TSTAMP_DELIVERY_MONO);
	return 0;
}

#endif /* KUBECNI_BPF_PACE_H */
