/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The way to the receiver: which it is, how the packet's headers change on
 * it, and the redirect. */
#ifndef KUBECNI_BPF_WAY_H
#define KUBECNI_BPF_WAY_H

#include "flows.h"
#include "lookup.h"
#include "packet.h"
#include "tunnel.h"

static __always_inline bool is_zero_mac(const __u8 *mac)
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/* Asks the kernel's routes for a destination outside the cluster. They see the
 * packet with its destination translated, and its source not yet. Also false
 * if the kernel does not know the neighbour's Ethernet address yet, or if
 * there is none. */
static __always_inline bool find_route(struct __sk_buff *skb, const struct packet *pkt,
				       const struct transport *l4, __u32 place, __u32 network,
				       const struct kubecni_translation *to,
				       struct kubecni_node *node)
{
	struct bpf_fib_lookup fib = {.family = pkt->family,
				     .l4_protocol = l4->protocol,
				     .tot_len = 1,
				     .ifindex = place == FROM_OUTSIDE ? skb->ifindex : network};
	__builtin_memcpy(&fib.sport, l4->src_port, 2);
	__builtin_memcpy(&fib.dport, to->dst_port, 2);
	if (pkt->family == AF_INET6) {
		__builtin_memcpy(fib.ipv6_src, src_of(pkt), 16);
		__builtin_memcpy(fib.ipv6_dst, to->dst, 16);
	} else {
		fib.tos = pkt->v4->tos;
		__builtin_memcpy(&fib.ipv4_src, src_of(pkt), 4);
		__builtin_memcpy(&fib.ipv4_dst, to->dst, 4);
	}
	if (bpf_fib_lookup(skb, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	if (fib.ifindex == network || is_zero_mac(fib.dmac))
		return false;
	*node = (struct kubecni_node){.kind = KUBECNI_NODE_OUTSIDE,
				      .egress_ifindex = fib.ifindex,
				      .mtu = fib.mtu_result,
				      .next_hop_family = fib.family};
	if (fib.family == AF_INET6)
		__builtin_memcpy(node->next_hop, fib.ipv6_dst, 16);
	else
		__builtin_memcpy(node->next_hop, &fib.ipv4_dst, 4);
	return true;
}

/* Whether eBPF would bypass a limit of the pod's bandwidth. */
static __always_inline bool is_kernels(const struct kubecni_endpoint *pod)
{
	return (pod->flags & (KUBECNI_ENDPOINT_SHAPED | KUBECNI_ENDPOINT_SHAPED_IN |
			      KUBECNI_ENDPOINT_PACED)) == KUBECNI_ENDPOINT_SHAPED;
}

/* Whether the host end of a pod with a limit would drop the packet, and tell
 * nobody: it is longer than the MTU. */
static __always_inline bool exceeds_limited_pod(struct __sk_buff *skb,
						const struct kubecni_endpoint *pod)
{
	__u32 mtu = 0;
	return (pod->flags & KUBECNI_ENDPOINT_SHAPED_IN) &&
	       bpf_check_mtu(skb, pod->host_ifindex, &mtu, 0, 0) > 0;
}

/* Finds the way to the translated destination. */
static __always_inline bool find_way(struct __sk_buff *skb, const struct packet *pkt,
				     const struct transport *l4, __u32 place, __u32 network,
				     struct kubecni_flow_state *answer)
{
	const void *dst = answer->translation.dst;
	const bool is_from_host = place == FROM_OUTSIDE && !is_remote_pod(src_of(pkt), pkt->family);
	if (is_from_host && !may_bypass_ipsec())
		return false;
	answer->is_to_pod = read_endpoint(network, dst, pkt->family, &answer->pod);
	if (answer->is_to_pod)
		return (answer->pod.flags & KUBECNI_ENDPOINT_READY) && !is_kernels(&answer->pod) &&
		       (answer->is_routed || same_mac(pkt->eth->h_dest, answer->pod.pod_mac));
	/* The kernel path drops what would look like a packet of the tunnel. */
	if (!answer->is_routed || is_tunnel_port(l4->protocol, answer->translation.dst_port))
		return false;
	const struct kubecni_node *node = node_of(dst, pkt->family);
	if (!node)
		/* What concerns no pod is not ours. */
		return !is_from_host && may_bypass_ipsec() &&
		       find_route(skb, pkt, l4, place, network, &answer->translation,
				  &answer->node);
	answer->node = *node;
	return network == cluster_network() && is_reached(node);
}

/* Changes TTL and MACs as routing would. The bridge switches traffic between
 * its pods and does not route it, so both stay as they are then. */
static __always_inline void change_headers(struct __sk_buff *skb, struct packet *pkt,
					   const struct kubecni_flow_state *answer)
{
	if (!answer->is_routed)
		return;
	spend_hop(skb, pkt);
	if (answer->is_to_pod) {
		__builtin_memcpy(pkt->eth->h_dest, answer->pod.pod_mac, ETH_ALEN);
		__builtin_memcpy(pkt->eth->h_source, answer->pod.gateway_mac, ETH_ALEN);
	} else if (answer->node.kind == KUBECNI_NODE_VXLAN) {
		__builtin_memcpy(pkt->eth->h_dest, answer->node.tunnel_mac, ETH_ALEN);
		__builtin_memcpy(pkt->eth->h_source, answer->node.own_tunnel_mac, ETH_ALEN);
	}
}

/* Puts the packet into the pod's namespace, past the bridge. A veth would take
 * mark and priority off; the helper leaves them on every kernel so far. If the
 * pod has a limit at its host end, the packet goes there, and to_pod sees it. */
static __always_inline void send_to_pod(struct __sk_buff *skb, const struct kubecni_endpoint *pod)
{
	/* A switched frame is addressed to the other pod, so it arrived as
	 * OTHERHOST. Before 6.15 it would stay that, and ip_rcv would drop
	 * it. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	set_ctx_u32(skb->priority, 0);
	if (pod->flags & KUBECNI_ENDPOINT_SHAPED_IN) {
		set_ctx_u32(skb->mark, KUBECNI_MARK_FAST);
		set_ctx_u32(skb->tc_index, KUBECNI_TC_INDEX_FAST);
		bpf_redirect(pod->host_ifindex, 0);
		return;
	}
	set_ctx_u32(skb->mark, 0);
	bpf_redirect_peer(pod->host_ifindex, 0);
}

static __always_inline void send_to_neighbour(__u32 ifindex, __u32 family, const __u8 *next_hop)
{
	struct bpf_redir_neigh next = {.nh_family = family};
	__builtin_memcpy(next.ipv6_nh, next_hop, 16);
	bpf_redirect_neigh(ifindex, &next, sizeof(next), 0);
}

/* Sends the packet on, with the `tos` that it came with. Nothing can fail
 * here. */
static __always_inline void send(struct __sk_buff *skb, const struct kubecni_flow_state *answer,
				 __u8 tos)
{
	if (answer->is_to_pod)
		return send_to_pod(skb, &answer->pod);
	const struct kubecni_node *node = &answer->node;
	/* Other devices than those to nodes would leave the mark on. */
	set_ctx_u32(skb->mark, node->kind == KUBECNI_NODE_OUTSIDE ? 0 : KUBECNI_MARK_FAST);
	/* What a pod's own stack has left there. */
	set_ctx_u32(skb->tc_index, 0);
	/* Otherwise all pods would share the NIC queue of the veth's queue. */
	set_ctx_u32(skb->queue_mapping, 0);
	if (node->kind != KUBECNI_NODE_VXLAN)
		return send_to_neighbour(node->egress_ifindex, node->next_hop_family,
					 node->next_hop);
	const struct kubecni_outer_way *outer = &answer->outer;
	if (outer->ifindex && encapsulate(skb, node, tos))
		return send_to_neighbour(outer->ifindex, outer->next_hop_family, outer->next_hop);
	set_tunnel_key(skb, node);
	bpf_redirect(node->egress_ifindex, 0);
}

#endif /* KUBECNI_BPF_WAY_H */
