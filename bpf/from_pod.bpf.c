// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_pod: ingress of the host end of a pod's veth, which is what the pod
 * sends. It runs before the bridge's receive handler, so that a packet which
 * it does not redirect meets the bridge as if there were no eBPF. */
#define THIS_PROGRAM KUBECNI_BY_FROM_POD

#include "arp.h"
#include "carry.h"
#include "control.h"
#include "exits.h"
#include "lookup.h"
#include "packet.h"
#include "sender.h"
#include "tunnel.h"

/* Whether a packet may have no source address: one of DHCP, RFC 2131, or of
 * group management, RFC 3376 and 3590, which for IPv6 is behind an extension
 * header. No route leads back to it. */
static __always_inline bool may_lack_source(const struct packet *pkt, const struct cursor *cur)
{
	const __u8 protocol = protocol_of(pkt);
	if (pkt->family == AF_INET6)
		return protocol == IPPROTO_HOPOPTS; /* the rest is judge_control6()'s */
	if (protocol != IPPROTO_UDP)
		return protocol == IPPROTO_IGMP;
	struct cursor peek = *cur;
	const struct udphdr *udp = pull(&peek, sizeof(*udp));
	return has_transport(pkt) && udp && udp->source == bpf_htons(DHCP_CLIENT_PORT) &&
	       udp->dest == bpf_htons(DHCP_SERVER_PORT);
}

/* A sender that the endpoints do not confirm: lying, or not known (any more). */
static __always_inline struct exit
on_unconfirmed_sender(struct __sk_buff *skb, const struct packet *pkt, const struct cursor *cur)
{
	const void *src = src_of(pkt);
	struct kubecni_pod_iface *iface = known_sender(skb, pkt->family);
	if (!iface)
		return EXIT(PASS_UNKNOWN_SENDER);

	struct exit honest = EXIT(PASS_UNKNOWN_SENDER); /* the maps name two MACs */
	if (is_unspecified(src, pkt->family)) {
		if (!may_lack_source(pkt, cur))
			return EXIT(DROP_SPOOFED_IP);
		honest = EXIT(PASS_NO_SOURCE);
	} else if (pkt->family == AF_INET6 && is_link_local_of(src, iface->pod_mac)) {
		honest = EXIT(PASS_LINK_LOCAL);
	} else if (!is_own_addr(skb, iface, src, pkt->family)) {
		return EXIT(DROP_SPOOFED_IP);
	}
	return same_mac(pkt->eth->h_source, iface->pod_mac) ? honest : EXIT(DROP_SPOOFED_MAC);
}

/* What is neither IP nor ARP can still be a lie about whose frame it is. */
static __always_inline struct exit on_other(struct __sk_buff *skb, const struct ethhdr *eth)
{
	struct kubecni_pod_iface *iface = known_sender(skb, AF_INET);
	if (iface && !same_mac(eth->h_source, iface->pod_mac))
		return EXIT(DROP_SPOOFED_MAC);
	return EXIT(PASS_NOT_IP);
}

/* Same node. Traffic between pods of one bridge is switched, not routed: TTL
 * and MACs stay as they are, just as on the bridge. */
static __always_inline struct exit to_local_pod(struct __sk_buff *skb, const struct ethhdr *eth,
						const struct kubecni_endpoint *pod)
{
	const struct exit exit = judge_pod(pod);
	if (is_exit(exit))
		return exit;
	if (!same_mac(eth->h_dest, pod->pod_mac))
		return EXIT(PASS_OTHER_MAC);

	/* The frame is addressed to the other pod, so it arrived as OTHERHOST,
	 * and before 6.15 it would stay that and be dropped by ip_rcv. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	redirect_into(skb, pod);
	return REDIRECTED(FAST_TO_LOCAL_POD);
}

/* Another node, routed: what the pod sends to its gateway. */
static __always_inline struct exit to_direct_node(struct __sk_buff *skb, struct packet *pkt,
						  const struct kubecni_node *node)
{
	struct bpf_redir_neigh next = {.nh_family = pkt->family};
	__builtin_memcpy(next.ipv6_nh, node->next_hop, 16);

	spend_hop(skb, pkt);
	set_ctx_u32(skb->mark, KUBECNI_MARK_FAST);
	/* Or all pods would share the NIC queue that the veth's queue maps to. */
	set_ctx_u32(skb->queue_mapping, 0);
	bpf_redirect_neigh(node->egress_ifindex, &next, sizeof(next), 0);
	return REDIRECTED(FAST_TO_NODE);
}

/* The same through the tunnel. */
static __always_inline struct exit to_tunnel_node(struct __sk_buff *skb, struct packet *pkt,
						  const struct kubecni_node *node)
{
	set_tunnel_key(skb, node);
	spend_hop(skb, pkt);
	__builtin_memcpy(pkt->eth->h_dest, node->tunnel_mac, ETH_ALEN);
	__builtin_memcpy(pkt->eth->h_source, node->own_tunnel_mac, ETH_ALEN);
	set_ctx_u32(skb->mark, KUBECNI_MARK_FAST);
	set_ctx_u32(skb->queue_mapping, 0);
	bpf_redirect(node->egress_ifindex, 0);
	return REDIRECTED(FAST_TO_TUNNEL);
}

static __always_inline struct exit on_ip(struct __sk_buff *skb, struct ethhdr *eth,
					 struct cursor *cur, const int family)
{
	struct packet pkt = {.family = family, .eth = eth};
	if (!pull_ip(cur, &pkt))
		return EXIT(DROP_SHORT_PACKET);
	if (!is_sound(&pkt))
		return on_other(skb, eth);
	struct exit exit;
	if (is_control(&pkt, cur)) {
		if (family == AF_INET6)
			judge_control6(skb, &exit);
		else
			judge_control4(skb, &exit);
		if (is_exit(exit))
			return exit;
		/* It may have moved the packet. */
		*cur = cursor_at_headers(skb);
		pkt.eth = eth = pull_eth(cur);
		if (!eth || !pull_ip(cur, &pkt))
			return EXIT(DROP_SHORT_PACKET);
	}
	struct kubecni_pod_iface *iface = pod_iface_of(skb);
	if (!iface)
		return EXIT(PASS_UNKNOWN_SENDER);
	const __u32 network = iface->network;
	struct kubecni_endpoint *self = endpoint_of(network, src_of(&pkt), family);
	if (!self || self->host_ifindex != skb->ifindex || !same_mac(eth->h_source, self->pod_mac))
		return on_unconfirmed_sender(skb, &pkt, cur);
	/* Both directions of a flow have to be able to go by eBPF. */
	exit = judge_pod(self);
	if (is_exit(exit))
		return exit;
	if (is_multicast_mac(eth->h_dest))
		return EXIT(PASS_MULTICAST);
	exit = judge_ip_header(&pkt);
	if (is_exit(exit))
		return exit;

	struct kubecni_endpoint *pod = endpoint_of(network, dst_of(&pkt), family);
	struct kubecni_node *node = NULL;
	if (!pod) {
		node = node_of(dst_of(&pkt), family);
		if (!node)
			return EXIT(PASS_NO_NODE);
		if (node->kind != KUBECNI_NODE_DIRECT && node->kind != KUBECNI_NODE_VXLAN)
			return EXIT(PASS_NO_ENDPOINT);
		/* The answer would not find back by eBPF. */
		if (network != cluster_network())
			return EXIT(PASS_OTHER_NETWORK);
	}

	struct transport l4;
	exit = judge_flow(skb, cur, &pkt, &l4);
	if (is_exit(exit))
		return exit;

	if (pod)
		return to_local_pod(skb, eth, pod);
	if (!same_mac(eth->h_dest, self->gateway_mac))
		return EXIT(PASS_OTHER_MAC);
	exit = judge_hops(&pkt);
	if (is_exit(exit))
		return exit;
	if (wire_ip_len(skb, family, &l4) > node->mtu)
		return EXIT(PASS_OVER_MTU);
	if (node->kind == KUBECNI_NODE_VXLAN)
		return to_tunnel_node(skb, &pkt, node);
	return to_direct_node(skb, &pkt, node);
}

static __always_inline struct exit on_frame(struct __sk_buff *skb)
{
	/* No pod has use for a tag, of which VID 0 means none to the kernel: what is
	 * in the frame would be believed unchecked. */
	if (skb->vlan_present)
		return EXIT(DROP_TAGGED);
	struct cursor cur = cursor_at_headers(skb);
	struct ethhdr *eth = pull_eth(&cur);
	if (!eth)
		return EXIT(DROP_SHORT_PACKET);
	if (is_bridge_mac(eth->h_dest))
		return EXIT(DROP_BRIDGE_CONTROL);
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return on_ip(skb, eth, &cur, AF_INET);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return on_ip(skb, eth, &cur, AF_INET6);
	if (eth->h_proto == bpf_htons(ETH_P_ARP))
		return on_arp(skb, eth, &cur);
	if (is_vlan_type(eth->h_proto))
		return EXIT(DROP_TAGGED);
	return on_other(skb, eth);
}

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	return leave(skb, on_frame(skb));
}

char from_pod_license[] SEC("license") = "Dual BSD/GPL";
