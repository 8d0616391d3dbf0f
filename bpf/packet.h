/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading a packet: bounds-checked headers, and the questions asked of them. */
#ifndef KUBECNI_BPF_PACKET_H
#define KUBECNI_BPF_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "kubecni/abi.h"

#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff

/* ICMP echo, RFC 792, and ARP for IPv4 over Ethernet, RFC 826. The kernel's
 * headers for these two include libc's, which BPF C cannot have. */
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO_REQUEST 8

struct icmp_echo {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__u8 identifier[2];
	__be16 sequence;
};

struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_len;
	__u8 protocol_len;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender_ip[4];
	__u8 target_mac[6];
	__u8 target_ip[4];
} __attribute__((packed));

/* The part of the packet that is not parsed yet. */
struct cursor {
	void *next;
	void *end;
};

/* What of a transport header the dataplane looks at: the ports lie in the
 * first four bytes of TCP and UDP, type and identifier in the first eight of
 * an ICMP echo. */
struct transport {
	__u8 src_port[2];
	__u8 dst_port[2];
	__u32 header_len; /* bytes */
};

/* The start of the packet, with at least `bytes` of it made linear if it is
 * that long. Otherwise the headers of a long packet could lie in fragments of
 * the skb, and it would look short. */
static __always_inline struct cursor cursor_at_start(struct __sk_buff *skb, __u32 bytes)
{
	if ((void *)(long)skb->data + bytes > (void *)(long)skb->data_end)
		bpf_skb_pull_data(skb, skb->len < bytes ? skb->len : bytes);
	return (struct cursor){(void *)(long)skb->data, (void *)(long)skb->data_end};
}

/* Steps over `size` bytes and returns where they start, or NULL. */
static __always_inline void *pull(struct cursor *cur, __u32 size)
{
	void *header = cur->next;
	if (header + size > cur->end)
		return NULL;
	cur->next = header + size;
	return header;
}

static __always_inline struct ethhdr *pull_eth(struct cursor *cur)
{
	return pull(cur, sizeof(struct ethhdr));
}

/* The fixed part of an IPv4 header. Options, if any, are not stepped over. */
static __always_inline struct iphdr *pull_ipv4(struct cursor *cur)
{
	return pull(cur, sizeof(struct iphdr));
}

/* Whether what an ethertype called IPv4 begins like it. */
static __always_inline bool is_ipv4(const struct iphdr *ip)
{
	return ip->version == 4 && ip->ihl >= 5;
}

/* Whether the frame has a VLAN tag: beside the packet, where the kernel puts it
 * on arrival, or still in it. */
static __always_inline bool is_vlan_tagged(const struct __sk_buff *skb)
{
	return skb->vlan_present || skb->protocol == bpf_htons(ETH_P_8021Q) ||
	       skb->protocol == bpf_htons(ETH_P_8021AD);
}

static __always_inline bool is_fragment(const struct iphdr *ip)
{
	return ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET);
}

static __always_inline bool is_later_fragment(const struct iphdr *ip)
{
	return ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET);
}

static __always_inline bool same_mac(const __u8 *a, const __u8 *b)
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) |
		 (a[5] ^ b[5]));
}

static __always_inline bool is_multicast_mac(const __u8 *mac)
{
	return mac[0] & 1;
}

/* Reads the transport header after `ip`, which has no options. Returns the
 * exit reason that applies, or -1 when `l4` is filled. */
static __always_inline int read_transport(struct cursor *cur, const struct iphdr *ip,
					  struct transport *l4)
{
	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = pull(cur, sizeof(*tcp));
		if (!tcp)
			return KUBECNI_DROP_SHORT_PACKET;
		__builtin_memcpy(l4->src_port, &tcp->source, 2);
		__builtin_memcpy(l4->dst_port, &tcp->dest, 2);
		l4->header_len = tcp->doff * 4;
		return -1;
	}
	if (ip->protocol == IPPROTO_UDP) {
		struct udphdr *udp = pull(cur, sizeof(*udp));
		if (!udp)
			return KUBECNI_DROP_SHORT_PACKET;
		__builtin_memcpy(l4->src_port, &udp->source, 2);
		__builtin_memcpy(l4->dst_port, &udp->dest, 2);
		l4->header_len = sizeof(*udp);
		return -1;
	}
	if (ip->protocol != IPPROTO_ICMP)
		return KUBECNI_PASS_PROTOCOL;

	struct icmp_echo *icmp = pull(cur, sizeof(*icmp));
	if (!icmp)
		return KUBECNI_DROP_SHORT_PACKET;
	/* An error must meet the kernel: netfilter may have to translate it. */
	if (icmp->type != ICMP_ECHO_REQUEST && icmp->type != ICMP_ECHO_REPLY)
		return KUBECNI_PASS_PROTOCOL;
	__builtin_memcpy(l4->src_port, icmp->identifier, 2);
	__builtin_memcpy(l4->dst_port, icmp->identifier, 2);
	l4->header_len = sizeof(*icmp);
	return -1;
}

/* Length of the IP packet that will be on the wire: for a GSO packet, of each
 * segment that it is cut into. */
static __always_inline __u32 wire_ip_len(const struct __sk_buff *skb, const struct transport *l4)
{
	if (skb->gso_size)
		return skb->gso_size + sizeof(struct iphdr) + l4->header_len;
	return skb->len - ETH_HLEN;
}

/* Writes one field of the context as a store of its own: clang 19 would merge
 * neighbouring fields into one, which the verifier refuses with "invalid
 * bpf_context access off=8 size=8". */
#define set_ctx_u32(field, value) (*(volatile __u32 *)&(field) = (value))

/* Counts the TTL down by one, with the incremental checksum of RFC 1624. */
static __always_inline void spend_hop(struct iphdr *ip)
{
	__u32 sum = ip->check + bpf_htons(0x0100);
	ip->check = (__u16)(sum + (sum >= 0xffff));
	ip->ttl--;
}

#endif /* KUBECNI_BPF_PACKET_H */
