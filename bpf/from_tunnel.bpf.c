// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_tunnel: ingress of the tunnel device. Anybody who reaches the node
 * can send to its tunnel's port. So packets of hosts other than the
 * cluster's nodes are dropped, before anything else is decided. */
#define THIS_PROGRAM KUBECNI_BY_FROM_TUNNEL

#include "deliver.h"

static __always_inline struct kubecni_tunnel_peer *peer_of(const void *addr, int family)
{
	if (family == AF_INET6)
		return bpf_map_lookup_elem(&tunnel_peers6, addr);
	return bpf_map_lookup_elem(&tunnel_peers4, addr);
}

/* Continues if the outer source is a node's. */
static __always_inline struct exit judge_source(const void *source, int family, __u32 vni)
{
	const struct kubecni_addr6 none = {};
	struct kubecni_tunnel_peer *peer = NULL;
	/* No node has the entry of the unspecified address. */
	if (!is_unspecified(source, family))
		peer = peer_of(source, family);
	if (peer && peer->vni == vni)
		return CONTINUE;
	if (!peer_of(&none, family))
		return EXIT(PASS_NO_PEERS);
	/* The list may have been written meanwhile, before its marker. */
	if (!peer && !is_unspecified(source, family))
		peer = peer_of(source, family);
	if (peer && peer->vni == vni)
		return CONTINUE;
	return peer ? EXIT(DROP_TUNNEL_ID) : EXIT(DROP_TUNNEL_SOURCE);
}

/* Checks the sender of a packet from the tunnel device. If there is no outer
 * header, which that device never causes, the source counts as unknown. */
static __always_inline struct exit judge_outer_header(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {};
	if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6))
		return judge_source(key.remote_ipv6, AF_INET6, key.tunnel_id);
	/* On failure, the kernel clears the key. */
	bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0);
	__be32 source = bpf_htonl(key.remote_ipv4);
	return judge_source(&source, AF_INET, key.tunnel_id);
}

SEC("tc")
int from_tunnel(struct __sk_buff *skb)
{
	const __u32 frame_len = skb->len;
	struct exit exit = judge_outer_header(skb);
	if (!is_exit(exit))
		exit = deliver(skb, REDIRECTED(FAST_FROM_TUNNEL));
	return leave(frame_len, exit);
}

char from_tunnel_license[] SEC("license") = "Dual BSD/GPL";
