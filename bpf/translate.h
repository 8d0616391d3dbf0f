/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Changes addresses and ports of TCP and UDP as netfilter would. */
#ifndef KUBECNI_BPF_TRANSLATE_H
#define KUBECNI_BPF_TRANSLATE_H

#include "transport.h"

/* Offset of the checksum in the transport header. */
static __always_inline __u32 checksum_offset(const struct transport *l4)
{
	return l4->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check)
					   : offsetof(struct udphdr, check);
}

/* What the addresses add to a checksum. */
static __always_inline __u32 sum_of_addresses(const void *src, const void *dst, int family,
					      __u32 sum)
{
	__u32 pair[8];
	copy_addr(pair, src, family);
	copy_addr(pair + (family == AF_INET6 ? 4 : 1), dst, family);
	return bpf_csum_diff(NULL, 0, pair, family == AF_INET6 ? 32 : 8, sum);
}

/* Writes the translated addresses and ports, and updates all checksums over
 * them. `ports` are the packet's. The pointers into the packet are invalid
 * after that. */
static __always_inline void translate(struct __sk_buff *skb, struct packet *pkt, void *ports,
				      const struct transport *l4,
				      const struct kubecni_translation *to)
{
	const int family = pkt->family;
	const __u32 header = ETH_HLEN + ip_header_len(family);
	const __u32 checksum = header + checksum_offset(l4);
	/* A UDP checksum of 0 means that there is none. */
	const __u64 flags = l4->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;

	__u32 old_ports, new_ports;
	__builtin_memcpy(&old_ports, ports, 4);
	__builtin_memcpy(&new_ports, to->src_port, 2);
	__builtin_memcpy((void *)&new_ports + 2, to->dst_port, 2);
	__builtin_memcpy(ports, &new_ports, 4);

	const __u32 old_sum = sum_of_addresses(src_of(pkt), dst_of(pkt), family, 0);
	const __u32 difference = sum_of_addresses(to->src, to->dst, family, ~old_sum);
	copy_addr((void *)src_of(pkt), to->src, family);
	copy_addr((void *)dst_of(pkt), to->dst, family);

	if (family == AF_INET)
		bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), 0, difference,
				    0);
	bpf_l4_csum_replace(skb, checksum, 0, difference, flags | BPF_F_PSEUDO_HDR);
	/* IPv6 has no header checksum that compensates, but the helper adjusts
	 * a sum over the whole packet as if it had. */
	if (family == AF_INET6)
		bpf_csum_update(skb, difference);
	bpf_l4_csum_replace(skb, checksum, old_ports, new_ports, flags | 4);
}

#endif /* KUBECNI_BPF_TRANSLATE_H */
