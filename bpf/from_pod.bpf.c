// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_pod: ingress of the host end of a pod's veth: the packets that the
 * pod sends. It runs before the bridge's receive handler, so a packet that
 * it does not redirect reaches the bridge as if there were no eBPF. */
#define THIS_PROGRAM KUBECNI_BY_FROM_POD

#include "arp.h"
#include "carry.h"
#include "control.h"
#include "exits.h"
#include "lookup.h"
#include "packet.h"
#include "sender.h"
#include "tunnel.h"

/* An IP packet of the pod, and what the stages find out about it. */
struct sent {
	struct packet pkt;
	struct cursor cur;
	__u32 network;
	struct kubecni_endpoint self;
	bool is_to_pod;		     /* the receiver is on this node */
	struct kubecni_endpoint pod; /* then: the receiver */
	struct kubecni_node *node;   /* else: the receiver's */
};

/* A frame that is neither IP nor ARP can still have a spoofed source MAC. */
static __always_inline struct exit on_other(struct __sk_buff *skb, const struct ethhdr *eth)
{
	struct kubecni_pod_iface iface;
	if (read_sender(skb, AF_INET, &iface) && !same_mac(eth->h_source, iface.pod_mac))
		return EXIT(DROP_SPOOFED_MAC);
	return EXIT(PASS_NOT_IP);
}

/* Parse: reads the IP header, which comes next. */
static __always_inline struct exit parse(struct __sk_buff *skb, struct sent *sent)
{
	if (!pull_ip(&sent->cur, &sent->pkt))
		return EXIT(DROP_SHORT_PACKET);
	if (!is_sound(&sent->pkt))
		return on_other(skb, sent->pkt.eth);
	return CONTINUE;
}

/* Whether a packet may have no source address: DHCP (RFC 2131) and group
 * management (RFC 3376, 3590) may. For IPv6 the latter is behind an
 * extension header. No route leads back to such a source. */
static __always_inline bool may_lack_source(const struct packet *pkt, const struct cursor *cur)
{
	const __u8 protocol = protocol_of(pkt);
	if (pkt->family == AF_INET6)
		return protocol == IPPROTO_HOPOPTS; /* judge_control6() checks the rest */
	if (protocol != IPPROTO_UDP)
		return protocol == IPPROTO_IGMP;
	struct cursor peek = *cur;
	const struct udphdr *udp = pull(&peek, sizeof(*udp));
	return has_transport(pkt) && udp && udp->source == bpf_htons(DHCP_CLIENT_PORT) &&
	       udp->dest == bpf_htons(DHCP_SERVER_PORT);
}

/* The endpoints do not confirm the sender: it is spoofed, or not known yet
 * or any more. */
static __always_inline struct exit
on_unconfirmed_sender(struct __sk_buff *skb, const struct packet *pkt, const struct cursor *cur)
{
	const void *src = src_of(pkt);
	struct kubecni_pod_iface iface;
	if (!read_sender(skb, pkt->family, &iface))
		return EXIT(PASS_UNKNOWN_SENDER);

	struct exit honest = EXIT(PASS_UNKNOWN_SENDER); /* the entry has come meanwhile */
	if (is_unspecified(src, pkt->family)) {
		if (!may_lack_source(pkt, cur))
			return EXIT(DROP_SPOOFED_IP);
		honest = EXIT(PASS_NO_SOURCE);
	} else if (pkt->family == AF_INET6 && is_link_local_of(src, iface.pod_mac)) {
		honest = EXIT(PASS_LINK_LOCAL);
	} else if (!is_own_addr(skb, &iface, src, pkt->family)) {
		return EXIT(DROP_SPOOFED_IP);
	}
	return same_mac(pkt->eth->h_source, iface.pod_mac) ? honest : EXIT(DROP_SPOOFED_MAC);
}

/* Judges what the packet says above IP. */
static __always_inline struct exit judge_control(struct __sk_buff *skb, struct sent *sent)
{
	if (!is_control(&sent->pkt, &sent->cur))
		return CONTINUE;
	struct exit exit = CONTINUE;
	if (sent->pkt.family == AF_INET6)
		judge_control6(skb, &exit);
	else
		judge_control4(skb, &exit);
	if (is_exit(exit))
		return exit;
	/* The call may have moved the packet. */
	sent->cur = cursor_at_headers(skb);
	sent->pkt.eth = pull_eth(&sent->cur);
	if (!sent->pkt.eth || !pull_ip(&sent->cur, &sent->pkt))
		return EXIT(DROP_SHORT_PACKET);
	return CONTINUE;
}

/* Sender: checks that it is the pod behind this interface, that eBPF carries
 * its packets, and that it may send this message. */
static __always_inline struct exit judge_sender(struct __sk_buff *skb, struct sent *sent)
{
	const struct exit exit = judge_control(skb, sent);
	if (is_exit(exit))
		return exit;
	struct kubecni_pod_iface *iface = pod_iface_of(skb);
	if (!iface)
		return EXIT(PASS_UNKNOWN_SENDER);
	sent->network = iface->network;
	if (!read_endpoint(sent->network, src_of(&sent->pkt), sent->pkt.family, &sent->self) ||
	    sent->self.host_ifindex != skb->ifindex ||
	    !same_mac(sent->pkt.eth->h_source, sent->self.pod_mac))
		return on_unconfirmed_sender(skb, &sent->pkt, &sent->cur);
	/* eBPF must be able to carry both directions of a flow. */
	return judge_pod(&sent->self);
}

/* Finds who has the destination address: a pod of this node, or else another
 * node. */
static __always_inline struct exit find_receiver(struct sent *sent)
{
	const void *dst = dst_of(&sent->pkt);
	sent->node = NULL;
	sent->is_to_pod = read_endpoint(sent->network, dst, sent->pkt.family, &sent->pod);
	if (sent->is_to_pod)
		return CONTINUE;
	sent->node = node_of(dst, sent->pkt.family);
	if (!sent->node)
		return EXIT(PASS_NO_NODE);
	if (sent->node->kind != KUBECNI_NODE_DIRECT && sent->node->kind != KUBECNI_NODE_VXLAN)
		return EXIT(PASS_NO_ENDPOINT);
	/* eBPF could not carry the answer. */
	return sent->network != cluster_network() ? EXIT(PASS_OTHER_NETWORK) : CONTINUE;
}

static __always_inline struct exit judge_way_to_pod(const struct sent *sent)
{
	const struct exit exit = judge_pod(&sent->pod);
	if (is_exit(exit))
		return exit;
	return same_mac(sent->pkt.eth->h_dest, sent->pod.pod_mac) ? CONTINUE : EXIT(PASS_OTHER_MAC);
}

static __always_inline struct exit
judge_way_to_node(const struct __sk_buff *skb, const struct sent *sent, const struct transport *l4)
{
	if (!same_mac(sent->pkt.eth->h_dest, sent->self.gateway_mac))
		return EXIT(PASS_OTHER_MAC);
	const struct exit exit = judge_hops(&sent->pkt);
	if (is_exit(exit))
		return exit;
	return wire_ip_len(skb, sent->pkt.family, l4) > sent->node->mtu ? EXIT(PASS_OVER_MTU)
									: CONTINUE;
}

/* Decide: whether eBPF carries the packet, and to whom. */
static __always_inline struct exit decide(struct __sk_buff *skb, struct sent *sent)
{
	if (is_multicast_mac(sent->pkt.eth->h_dest))
		return EXIT(PASS_MULTICAST);
	struct exit exit = judge_ip_header(&sent->pkt);
	if (is_exit(exit))
		return exit;
	exit = find_receiver(sent);
	if (is_exit(exit))
		return exit;
	struct transport l4;
	exit = judge_flow(skb, &sent->cur, &sent->pkt, &l4);
	if (is_exit(exit))
		return exit;
	return sent->is_to_pod ? judge_way_to_pod(sent) : judge_way_to_node(skb, sent, &l4);
}

/* Same node. The bridge switches traffic between its pods and does not route
 * it. So TTL and MACs stay as they are here, too. */
static __always_inline struct exit to_local_pod(struct __sk_buff *skb,
						const struct kubecni_endpoint *pod)
{
	/* The frame is addressed to the other pod, so it arrived as
	 * OTHERHOST. Before 6.15 it would stay that, and ip_rcv would drop
	 * it. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	redirect_into(skb, pod);
	return REDIRECTED(FAST_TO_LOCAL_POD);
}

/* Routes a packet that leaves the node. */
static __always_inline void route(struct __sk_buff *skb, struct packet *pkt)
{
	spend_hop(skb, pkt);
	set_ctx_u32(skb->mark, KUBECNI_MARK_FAST);
	/* Otherwise all pods would share the NIC queue of the veth's queue. */
	set_ctx_u32(skb->queue_mapping, 0);
}

/* Sends to another node a packet that the pod sent to its gateway. */
static __always_inline struct exit to_direct_node(struct __sk_buff *skb, struct packet *pkt,
						  const struct kubecni_node *node)
{
	struct bpf_redir_neigh next = {.nh_family = pkt->family};
	__builtin_memcpy(next.ipv6_nh, node->next_hop, 16);

	route(skb, pkt);
	bpf_redirect_neigh(node->egress_ifindex, &next, sizeof(next), 0);
	return REDIRECTED(FAST_TO_NODE);
}

/* The same through the tunnel. */
static __always_inline struct exit to_tunnel_node(struct __sk_buff *skb, struct packet *pkt,
						  const struct kubecni_node *node)
{
	set_tunnel_key(skb, node);
	__builtin_memcpy(pkt->eth->h_dest, node->tunnel_mac, ETH_ALEN);
	__builtin_memcpy(pkt->eth->h_source, node->own_tunnel_mac, ETH_ALEN);
	route(skb, pkt);
	bpf_redirect(node->egress_ifindex, 0);
	return REDIRECTED(FAST_TO_TUNNEL);
}

/* Act: changes the packet. Nothing can fail from here on. */
static __always_inline struct exit act(struct __sk_buff *skb, struct sent *sent)
{
	if (sent->is_to_pod)
		return to_local_pod(skb, &sent->pod);
	if (sent->node->kind == KUBECNI_NODE_VXLAN)
		return to_tunnel_node(skb, &sent->pkt, sent->node);
	return to_direct_node(skb, &sent->pkt, sent->node);
}

static __always_inline struct exit on_ip(struct __sk_buff *skb, struct ethhdr *eth,
					 const struct cursor *cur, const int family)
{
	struct sent sent = {.pkt = {.family = family, .eth = eth}, .cur = *cur};
	struct exit exit = parse(skb, &sent);
	if (is_exit(exit))
		return exit;
	exit = judge_sender(skb, &sent);
	if (is_exit(exit))
		return exit;
	exit = decide(skb, &sent);
	if (is_exit(exit))
		return exit;
	return act(skb, &sent);
}

static __always_inline struct exit on_frame(struct __sk_buff *skb)
{
	/* Pods have no use for a tag. With VID 0 the kernel ignores the tag,
	 * so the frame behind it would be accepted unchecked. */
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
