/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The outer header of the tunnel, which the tunnel device makes and takes off:
 * the programs see it as a key beside the packet. */
#ifndef KUBECNI_BPF_TUNNEL_H
#define KUBECNI_BPF_TUNNEL_H

#include "maps.h"
#include "packet.h"

#define OUTER_TTL 64

/* Tells the tunnel device where to send the packet. It cannot fail with these
 * arguments. The packet stays as it is. */
static __always_inline void set_tunnel_key(struct __sk_buff *skb, const struct kubecni_node *node)
{
	struct bpf_tunnel_key key = {.tunnel_id = node->vni, .tunnel_ttl = OUTER_TTL};
	/* What pods send has checksums of its own. One more, over it all, would be
	 * computed by the CPU where the NIC cannot. */
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

static __always_inline struct kubecni_tunnel_peer *peer_of(const void *addr, int family)
{
	if (family == AF_INET6)
		return bpf_map_lookup_elem(&tunnel_peers6, addr);
	return bpf_map_lookup_elem(&tunnel_peers4, addr);
}

/* The exit of a packet from that outer source, or -1 if it is a node's. */
static __always_inline int judge_source(const void *source, int family, __u32 vni)
{
	const struct kubecni_addr6 none = {};
	struct kubecni_tunnel_peer *peer = NULL;
	/* The entry of the unspecified address is nobody's. */
	if (!is_unspecified(source, family))
		peer = peer_of(source, family);
	if (peer && peer->vni == vni)
		return -1;
	if (!peer_of(&none, family))
		return KUBECNI_PASS_NO_PEERS;
	return peer ? KUBECNI_DROP_TUNNEL_ID : KUBECNI_DROP_TUNNEL_SOURCE;
}

/* The same for a packet that the tunnel device received. One without an outer
 * header, which that device does not make, comes from nowhere. */
static __always_inline int judge_outer_header(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {};
	if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6))
		return judge_source(key.remote_ipv6, AF_INET6, key.tunnel_id);
	/* On failure, the kernel clears the key. */
	bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0);
	__be32 source = bpf_htonl(key.remote_ipv4);
	return judge_source(&source, AF_INET, key.tunnel_id);
}

#endif /* KUBECNI_BPF_TUNNEL_H */
