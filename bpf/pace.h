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

static __always_inline bool is_after(__u64 a, __u64 b)
{
	return (__s64)(a - b) > 0;
}

static __always_inline __u64 later_of(__u64 a, __u64 b)
{
	return is_after(a, b) ? a : b;
}

/* Moves the clock on by `cost`. False: it is later than `latest` already. `departure`
 * is when the packet may leave: the virtual scheduling of ITU-T I.371. */
static __always_inline bool move_clock(struct kubecni_pacer *pacer, __u64 now, __u64 latest,
				       __u64 cost, __u64 *departure)
{
	const __u64 earliest = now - pacer->burst_ns;
	for (int i = 0; i < CLOCK_TRIES; i++) {
		const __u64 clock = *(volatile __u64 *)&pacer->clock_ns;
		const __u64 start = later_of(clock, earliest);
		if (is_after(start, latest))
			return false;
		*departure = start;
		if (__sync_val_compare_and_swap(&pacer->clock_ns, clock, start + cost) == clock)
			return true;
	}
	*departure = __sync_fetch_and_add(&pacer->clock_ns, cost);
	return true;
}

/* The same with the clock of the packet's path, too. If two CPUs move that one at once,
 * the path gets a little more than its half. */
static __always_inline bool move_clocks(struct kubecni_pacer *pacer, __u64 *half_clock, __u64 now,
					__u64 cost, __u64 *departure)
{
	const __u64 latest = now + pacer->queue_ns;
	const __u64 half = later_of(*(volatile __u64 *)half_clock, now);
	const bool has_room = !is_after(half, latest);
	/* Within the half of its path, a packet may wait for twice the queue. */
	if (!move_clock(pacer, now, has_room ? latest + pacer->queue_ns : latest, cost, departure))
		return false;
	*(volatile __u64 *)half_clock = (has_room ? half : latest) + 2 * cost;
	return true;
}

/* When the packet may leave. A later time of the pod's own counts, since TCP spreads
 * its packets so, but not one by which it would fill fq. */
static __always_inline __u64 departure_of(const struct __sk_buff *skb, __u64 departure, __u64 now,
					  __u64 queue_ns)
{
	departure = later_of(departure, now);
	if (skb->tstamp_type != BPF_SKB_TSTAMP_DELIVERY_MONO || !is_after(skb->tstamp, departure))
		return departure;
	const __u64 latest = later_of(departure, now + queue_ns);
	return is_after(skb->tstamp, latest) ? latest : skb->tstamp;
}

/* A global function: see judge_control4(). */
__noinline int pace(struct __sk_buff *skb, __u32 frame_len, struct exit *exit)
{
	const __u32 ifindex = skb->ifindex;
	struct kubecni_pacer *pacer = bpf_map_lookup_elem(&pacers, &ifindex);
	if (!exit || !pacer || !pacer->bytes_per_s)
		return 0;
	const bool by_ebpf = exit->verdict == KUBECNI_VERDICT_REDIRECT;
	const __u64 now = bpf_ktime_get_ns();
	const __u64 cost = wire_bytes(skb, frame_len) * NS_PER_S / pacer->bytes_per_s;
	__u64 departure;
	if (!move_clocks(pacer, &pacer->half_clock_ns[by_ebpf], now, cost, &departure)) {
		*exit = EXIT(DROP_OVER_LIMIT);
		return 0;
	}
	if (by_ebpf)
		bpf_skb_set_tstamp(skb, departure_of(skb, departure, now, pacer->queue_ns),
				   BPF_SKB_TSTAMP_DELIVERY_MONO);
	else if (skb->tstamp_type != BPF_SKB_TSTAMP_UNSPEC)
		bpf_skb_set_tstamp(skb, 0, BPF_SKB_TSTAMP_UNSPEC);
	return 0;
}

#endif /* KUBECNI_BPF_PACE_H */
