/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads packets: bounds-checked headers, and questions about them.
 *
 * IPv4 and IPv6 share the code. The family is a constant wherever it is
 * passed, so clang generates a version for each. */
#ifndef KUBECNI_BPF_PACKET_H
#define KUBECNI_BPF_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "kubecni/abi.h"

/* As in libc's <sys/socket.h>, which BPF C cannot have. */
#define AF_INET 2
#define AF_INET6 10

#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff

/* The part of the packet that is not parsed yet. */
struct cursor {
	void *next;
	void *end;
};

/* The headers of a packet; only the pointer of its `family` is valid. */
struct packet {
	int family;
	struct ethhdr *eth;
	struct iphdr *v4;
	struct ipv6hdr *v6;
};

/* Loads `data` or `data_end` of the context with a separate instruction:
 * clang 19 would compute the field's address once for several loads. The
 * verifier refuses that ("dereference of modified ctx ptr"). */
#define CTX_POINTER(skb, field)                                                                    \
	({                                                                                         \
		void *pointer_;                                                                    \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                              \
			     : "=r"(pointer_)                                                      \
			     : "r"(skb), "i"(offsetof(struct __sk_buff, field)));                  \
		pointer_;                                                                          \
	})

static __always_inline struct cursor cursor_at_linear(struct __sk_buff *skb)
{
	return (struct cursor){CTX_POINTER(skb, data), CTX_POINTER(skb, data_end)};
}

/* The start of the packet. Makes the first `bytes` linear, or all of a
 * shorter packet. Otherwise headers could lie in fragments of the skb, and a
 * long packet would look short. */
static __always_inline struct cursor cursor_at_start(struct __sk_buff *skb, __u32 bytes)
{
	const struct cursor linear = cursor_at_linear(skb);
	if (linear.next + bytes <= linear.end)
		return linear;
	bpf_skb_pull_data(skb, skb->len < bytes ? skb->len : bytes);
	return cursor_at_linear(skb);
}

/* How many bytes the programs read of a packet. Fewer for IPv4: most packets
 * are shorter than the IPv6 amount, and would be pulled in vain. */
static __always_inline struct cursor cursor_at_headers(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return cursor_at_start(skb,
				       ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct tcphdr));
	return cursor_at_start(skb, ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr));
}

/* How many bytes are read where every byte may matter. A packet with longer
 * headers is hiding something. */
#define JUDGED_BYTES 2048

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

/* The fixed part of the IP header; IPv4 options are not skipped. False: the
 * packet ends inside it. */
static __always_inline bool pull_ip(struct cursor *cur, struct packet *pkt)
{
	if (pkt->family == AF_INET6)
		return (pkt->v6 = pull(cur, sizeof(*pkt->v6)));
	return (pkt->v4 = pull(cur, sizeof(*pkt->v4)));
}

/* Whether the header's version and length match the ethertype. */
static __always_inline bool is_sound(const struct packet *pkt)
{
	if (pkt->family == AF_INET6)
		return pkt->v6->version == 6;
	return pkt->v4->version == 4 && pkt->v4->ihl >= 5;
}

/* The addresses; they are also the keys of the maps. */
static __always_inline const void *src_of(const struct packet *pkt)
{
	return pkt->family == AF_INET6 ? (void *)&pkt->v6->saddr : (void *)&pkt->v4->saddr;
}

static __always_inline const void *dst_of(const struct packet *pkt)
{
	return pkt->family == AF_INET6 ? (void *)&pkt->v6->daddr : (void *)&pkt->v4->daddr;
}

/* The protocol; for IPv6, the first next header. */
static __always_inline __u8 protocol_of(const struct packet *pkt)
{
	return pkt->family == AF_INET6 ? pkt->v6->nexthdr : pkt->v4->protocol;
}

/* IPv4: type of service; IPv6: traffic class. */
static __always_inline __u8 tos_of(const struct packet *pkt)
{
	if (pkt->family == AF_INET6)
		return pkt->v6->priority << 4 | pkt->v6->flow_lbl[0] >> 4;
	return pkt->v4->tos;
}

static __always_inline __u8 hops_of(const struct packet *pkt)
{
	return pkt->family == AF_INET6 ? pkt->v6->hop_limit : pkt->v4->ttl;
}

static __always_inline __u32 ip_header_len(int family)
{
	return family == AF_INET6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static __always_inline void copy_addr(void *to, const void *from, int family)
{
	if (family == AF_INET6)
		__builtin_memcpy(to, from, 16);
	else
		__builtin_memcpy(to, from, 4);
}

/* Whether two addresses of the family are the same. */
static __always_inline bool same_addr(const void *a, const void *b, int family)
{
	const __u32 *x = a, *y = b;
	if (family == AF_INET)
		return x[0] == y[0];
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

/* Whether it is 0.0.0.0 or ::. */
static __always_inline bool is_unspecified(const void *addr, int family)
{
	const __u32 *word = addr;
	return family == AF_INET ? !word[0] : !(word[0] | word[1] | word[2] | word[3]);
}

/* Whether it is a multicast address, or 255.255.255.255. */
static __always_inline bool is_to_many(const void *addr, int family)
{
	const __u8 first = *(const __u8 *)addr;
	if (family == AF_INET6)
		return first == 0xff;
	return (first & 0xf0) == 0xe0 || *(const __u32 *)addr == 0xffffffff;
}

/* Provider VLAN tags from before 802.1ad. */
#ifndef ETH_P_QINQ2
#define ETH_P_QINQ2 0x9200
#endif

static __always_inline bool is_vlan_type(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD) ||
	       ethertype == bpf_htons(ETH_P_QINQ1) || ethertype == bpf_htons(ETH_P_QINQ2);
}

/* Whether the frame has a VLAN tag, either beside the packet, where the
 * kernel puts it on arrival, or still in it. */
static __always_inline bool is_vlan_tagged(const struct __sk_buff *skb)
{
	return skb->vlan_present || is_vlan_type(skb->protocol);
}

static __always_inline bool is_fragment(const struct iphdr *ip)
{
	return ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET);
}

static __always_inline bool is_later_fragment(const struct iphdr *ip)
{
	return ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET);
}

/* The headers that may stand between IPv6 and the transport header: RFC
 * 8200, and those of mobility, HIP and shim6. */
static __always_inline bool is_extension_header(__u8 next_header)
{
	switch (next_header) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_ESP:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case 139:
	case 140:
		return true;
	}
	return false;
}

/* Whether the packet is whole and has an IP header that eBPF carries. */
static __always_inline bool is_plain(const struct packet *pkt)
{
	if (pkt->family == AF_INET6)
		return !is_extension_header(pkt->v6->nexthdr);
	return pkt->v4->ihl == 5 && !is_fragment(pkt->v4);
}

/* Whether the transport header comes next; the first fragment has it, too. */
static __always_inline bool has_transport(const struct packet *pkt)
{
	return pkt->family == AF_INET6 || (pkt->v4->ihl == 5 && !is_later_fragment(pkt->v4));
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

/* Whether it is one of 01:80:c2:00:00:xx, which IEEE 802.1 reserves for
 * messages between bridges, or 01:00:0c:cc:cc:cx, which Cisco's switches use for
 * the same (PVST+, VTP, CDP). */
static __always_inline bool is_bridge_mac(const __u8 *mac)
{
	if (mac[0] != 0x01)
		return false;
	if (mac[1] == 0x80)
		return mac[2] == 0xc2 && !mac[3] && !mac[4];
	return !mac[1] && mac[2] == 0x0c && mac[3] == 0xcc && mac[4] == 0xcc &&
	       (mac[5] & 0xf0) == 0xc0;
}

/* Writes one context field with a separate store: clang 19 would merge
 * neighbouring fields. The verifier refuses that ("invalid bpf_context
 * access off=8 size=8"). */
#define set_ctx_u32(field, value) (*(volatile __u32 *)&(field) = (value))

/* Decrements the TTL or hop limit, and updates all checksums over it. */
static __always_inline void spend_hop(struct __sk_buff *skb, struct packet *pkt)
{
	if (pkt->family == AF_INET6) {
		pkt->v6->hop_limit--;
		/* IPv6 has no header checksum that compensates. So a sum
		 * over the whole packet, which some NICs supply, has to be
		 * reduced. */
		bpf_csum_update(skb, ~(__u32)bpf_htons(1));
		return;
	}
	/* Incremental checksum, RFC 1624. */
	__u32 sum = pkt->v4->check + bpf_htons(0x0100);
	pkt->v4->check = (__u16)(sum + (sum >= 0xffff));
	pkt->v4->ttl--;
}

#endif /* KUBECNI_BPF_PACKET_H */
