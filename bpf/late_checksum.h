/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checksums that are computed when a packet leaves the node. A packet socket
 * chooses where such a checksum is written (PACKET_VNET_HDR, packet(7)): it
 * could replace the source address after from_pod has checked that. */
#ifndef KUBECNI_BPF_LATE_CHECKSUM_H
#define KUBECNI_BPF_LATE_CHECKSUM_H

#include <stddef.h>

#include <bpf/bpf_core_read.h>

#include "packet.h"

/* Offsets of the checksum in its header. */
#define TCP_CHECKSUM offsetof(struct tcphdr, check)
#define UDP_CHECKSUM 6 /* no protocol's is nearer to the start */

#define NO_LATE_CHECKSUM 0xffffffff

#ifdef KUBECNI_NO_CONNTRACK

/* That build is for kernels without BTF, too. */
static __always_inline __u32 late_checksum_at(struct __sk_buff *skb)
{
	(void)skb;
	return NO_LATE_CHECKSUM;
}

#else

/* The parts of the kernel's types that are used. */
struct sk_buff {
	unsigned char *head;
	unsigned char *data;
	__u16 csum_start; /* from `head` */
	__u16 csum_offset;
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

enum special_kfunc_type {
	KF_bpf_cast_to_kern_ctx = 1, /* only whether it is there matters */
};

/* From <linux/skbuff.h>. */
#define CHECKSUM_PARTIAL 3

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak; /* kernel 6.2 */

/* Where in the frame the kernel will write a checksum. NO_LATE_CHECKSUM:
 * nowhere, or the kernel is too old to tell. */
static __always_inline __u32 late_checksum_at(struct __sk_buff *skb)
{
	if (!bpf_core_enum_value_exists(enum special_kfunc_type, KF_bpf_cast_to_kern_ctx))
		return NO_LATE_CHECKSUM;
	const struct sk_buff *packet = bpf_cast_to_kern_ctx(skb);
	if (BPF_CORE_READ_BITFIELD(packet, ip_summed) != CHECKSUM_PARTIAL)
		return NO_LATE_CHECKSUM;
	return packet->csum_start + packet->csum_offset -
	       (__u32)((__u64)packet->data - (__u64)packet->head);
}

#endif

static __always_inline bool has_late_checksum(struct __sk_buff *skb)
{
	return late_checksum_at(skb) != NO_LATE_CHECKSUM;
}

/* The first byte that a late checksum may be at, from the start of a header of
 * `protocol`. Behind the protocol's own a pod may ask for one: its tunnels do. */
static __always_inline __u32 least_checksum(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? (__u32)TCP_CHECKSUM : UDP_CHECKSUM;
}

/* Whether a late checksum would be written where no protocol has one. Behind
 * extension headers, judge_upper6() knows more. */
static __always_inline bool is_checksum_misplaced(struct __sk_buff *skb, const struct packet *pkt)
{
	const __u32 at = late_checksum_at(skb);
	if (at == NO_LATE_CHECKSUM)
		return false;
	const __u8 protocol = protocol_of(pkt);
	/* The kernel computes these itself, at once. */
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 || protocol == IPPROTO_IGMP)
		return true;
	const __u32 header = pkt->family == AF_INET6 ? sizeof(*pkt->v6) : pkt->v4->ihl * 4;
	return at < ETH_HLEN + header + least_checksum(protocol);
}

#endif /* KUBECNI_BPF_LATE_CHECKSUM_H */
