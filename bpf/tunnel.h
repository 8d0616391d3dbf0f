/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The outer header of the tunnel. The tunnel device makes it from a key that
 * the packet carries beside it. */
#ifndef KUBECNI_BPF_TUNNEL_H
#define KUBECNI_BPF_TUNNEL_H

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

#endif /* KUBECNI_BPF_TUNNEL_H */
