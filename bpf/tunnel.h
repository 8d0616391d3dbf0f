/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The outer header of the tunnel, RFC 7348. The programs make it themselves
 * where they can: past the tunnel device, the node's IP layer and netfilter.
 * Else the tunnel device makes it from a key that the packet carries beside
 * it. */
#ifndef KUBECNI_BPF_TUNNEL_H
#define KUBECNI_BPF_TUNNEL_H

#include <linux/udp.h>

#include "lookup.h"
#include "maps.h"
#include "packet.h"

#define OUTER_TTL 64

/* Tells the tunnel device where to send the packet. Cannot fail with these
 * arguments. Does not change the packet. */
static __always_inline void set_tunnel_key(struct __sk_buff *skb, const struct kubecni_node *node)
{
	struct bpf_tunnel_key key = {.tunnel_id = node->vni, .tunnel_ttl = OUTER_TTL};
	/* Inner packets have their own checksums. The CPU would compute
	 * another one over everything, where the NIC cannot. */
	if (node->next_hop_family == AF_INET6) {
		__builtin_memcpy(key.remote_ipv6, node->next_hop, 16);
		__builtin_memcpy(key.local_ipv6, node->own_endpoint, 16);
		bpf_skb_set_tunnel_key(skb, &key, sizeof(key),
				       BPF_F_ZERO_CSUM_TX | BPF_F_TUNINFO_IPV6);
		return;
	}
	__be32 remote, local;
	__builtin_memcpy(&remote, node->next_hop, 4);
	__builtin_memcpy(&local, node->own_endpoint, 4);
	key.remote_ipv4 = bpf_ntohl(remote);
	key.local_ipv4 = bpf_ntohl(local);
	bpf_skb_set_tunnel_key(skb, &key, sizeof(key), BPF_F_ZERO_CSUM_TX);
}

/* What follows the outer IP header. */
struct outer_transport {
	struct udphdr udp;
	__be32 flags;
	__be32 vni; /* in the upper 24 bits */
	struct ethhdr inner_eth;
} __attribute__((packed));

struct outer_header4 {
	struct iphdr ip;
	struct outer_transport transport;
} __attribute__((packed));

struct outer_header6 {
	struct ipv6hdr ip;
	struct outer_transport transport;
} __attribute__((packed));

#define VXLAN_HAS_VNI 0x08000000u
/* The source port says which flow it is, as RFC 7348 wants for ECMP. */
#define FIRST_OUTER_PORT 32768u
#define OUTER_PORTS 28232u

static __always_inline __be16 outer_port(__u32 hash)
{
	return bpf_htons(FIRST_OUTER_PORT + (__u16)(((__u64)hash * OUTER_PORTS) >> 32));
}

static __always_inline __u32 outer_len(const struct kubecni_node *node)
{
	return node->next_hop_family == AF_INET6 ? sizeof(struct outer_header6)
						 : sizeof(struct outer_header4);
}

/* Finds where outer packets to the node leave this one. `outer` has no device
 * if the programs may not make their headers. */
static __always_inline void find_outer_way(struct __sk_buff *skb, const struct kubecni_node *node,
					   struct kubecni_outer_way *outer)
{
	*outer = (struct kubecni_outer_way){};
	if (!node->outer_ifindex || !may_bypass_ipsec())
		return;
	/* For the routes, it comes from the tunnel: others are for pods. If the
	 * kernel has learned a smaller MTU, the tunnel device makes fragments. */
	struct bpf_fib_lookup fib = {.family = node->next_hop_family,
				     .l4_protocol = IPPROTO_UDP,
				     .sport = outer_port(bpf_get_hash_recalc(skb)),
				     .tot_len = node->mtu + outer_len(node),
				     .ifindex = node->egress_ifindex};
	__builtin_memcpy(&fib.dport, node->tunnel_port, 2);
	if (node->next_hop_family == AF_INET6) {
		__builtin_memcpy(fib.ipv6_src, node->own_endpoint, 16);
		__builtin_memcpy(fib.ipv6_dst, node->next_hop, 16);
	} else {
		__builtin_memcpy(&fib.ipv4_src, node->own_endpoint, 4);
		__builtin_memcpy(&fib.ipv4_dst, node->next_hop, 4);
	}
	const long found = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	if (found != BPF_FIB_LKUP_RET_SUCCESS && found != BPF_FIB_LKUP_RET_NO_NEIGH)
		return;
	if (fib.ifindex != node->outer_ifindex)
		return;
	outer->ifindex = fib.ifindex;
	outer->next_hop_family = fib.family;
	if (fib.family == AF_INET6)
		__builtin_memcpy(outer->next_hop, fib.ipv6_dst, 16);
	else
		__builtin_memcpy(outer->next_hop, &fib.ipv4_dst, 4);
}

/* RFC 3168, section 9.1.1: the outer header has the inner one's congestion
 * bits, but not that there was congestion. */
static __always_inline __u8 outer_tos(__u8 tos)
{
	const __u8 ecn = tos & 3;
	return ecn == 3 ? 2 : ecn;
}

static __always_inline __sum16 checksum_of(const struct iphdr *ip)
{
	__u32 sum = bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void fill_transport(struct outer_transport *to,
					   const struct kubecni_node *node, __u32 hash, __u32 len,
					   __be16 inner_protocol)
{
	/* No checksum: inner packets have their own. */
	*to = (struct outer_transport){.udp = {.source = outer_port(hash), .len = bpf_htons(len)},
				       .flags = bpf_htonl(VXLAN_HAS_VNI),
				       .vni = bpf_htonl(node->vni << 8),
				       .inner_eth = {.h_proto = inner_protocol}};
	__builtin_memcpy(&to->udp.dest, node->tunnel_port, 2);
	__builtin_memcpy(to->inner_eth.h_dest, node->tunnel_mac, ETH_ALEN);
	__builtin_memcpy(to->inner_eth.h_source, node->own_tunnel_mac, ETH_ALEN);
}

#define ROOM_FLAGS                                                                                 \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |                                  \
	 BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH)

/* Puts the outer header in front of the packet. False if the kernel cannot:
 * then the packet is as it was. */
static __always_inline bool encapsulate(struct __sk_buff *skb, const struct kubecni_node *node,
					__u8 tos)
{
	const __u32 hash = bpf_get_hash_recalc(skb);
	const __be16 protocol = skb->protocol;
	if (node->next_hop_family == AF_INET6) {
		struct outer_header6 outer;
		if (bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC,
					ROOM_FLAGS | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6))
			return false;
		const __u32 len = skb->len - ETH_HLEN - sizeof(outer.ip);
		outer.ip = (struct ipv6hdr){.version = 6,
					    .priority = outer_tos(tos) >> 4,
					    .flow_lbl = {outer_tos(tos) << 4},
					    .payload_len = bpf_htons(len),
					    .nexthdr = IPPROTO_UDP,
					    .hop_limit = OUTER_TTL};
		__builtin_memcpy(&outer.ip.saddr, node->own_endpoint, 16);
		__builtin_memcpy(&outer.ip.daddr, node->next_hop, 16);
		fill_transport(&outer.transport, node, hash, len, protocol);
		bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), BPF_F_RECOMPUTE_CSUM);
		return true;
	}
	struct outer_header4 outer;
	if (bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC,
				ROOM_FLAGS | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4))
		return false;
	const __u32 len = skb->len - ETH_HLEN - sizeof(outer.ip);
	/* Routers may cut it into fragments, which need a number. */
	struct iphdr ip = {.version = 4,
			   .ihl = 5,
			   .tos = outer_tos(tos),
			   .tot_len = bpf_htons(len + sizeof(ip)),
			   .id = bpf_get_prandom_u32(),
			   .ttl = OUTER_TTL,
			   .protocol = IPPROTO_UDP};
	__builtin_memcpy(&ip.saddr, node->own_endpoint, 4);
	__builtin_memcpy(&ip.daddr, node->next_hop, 4);
	ip.check = checksum_of(&ip);
	outer.ip = ip;
	fill_transport(&outer.transport, node, hash, len, protocol);
	bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), BPF_F_RECOMPUTE_CSUM);
	return true;
}

#endif /* KUBECNI_BPF_TUNNEL_H */
