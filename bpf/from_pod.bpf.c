// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_pod: ingress of the host end of a pod's veth, which is what the pod
 * sends. It runs before the bridge's receive handler, so that a packet which
 * it does not redirect meets the bridge as if there were no eBPF. */
#include "exits.h"
#include "flows.h"
#include "lookup.h"
#include "packet.h"

#define AF_INET 2
#define HEADERS_LEN (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr))

/* The record of the pod behind this interface, if the maps agree about it. Only
 * then may a packet be called spoofed: emptied maps must not stop a pod. */
static __always_inline struct kubecni_pod_iface *known_sender(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct kubecni_pod_iface *iface = bpf_map_lookup_elem(&pod_ifaces, &ifindex);
	if (!iface)
		return NULL;
	struct kubecni_endpoint *self = bpf_map_lookup_elem(&endpoints4, iface->addr4);
	return self && self->host_ifindex == ifindex ? iface : NULL;
}

/* ARP always goes by the bridge, but only with the pod's own sender fields. A
 * sender address of 0 is a probe (RFC 5227). */
static __always_inline int on_arp(struct __sk_buff *skb, const struct ethhdr *eth,
				  struct cursor *cur)
{
	struct arp_ipv4 *arp = pull(cur, sizeof(*arp));
	if (!arp)
		return drop(skb, KUBECNI_DROP_SHORT_PACKET);
	struct kubecni_pod_iface *iface = known_sender(skb);
	if (!iface)
		return leave_to_kernel(skb, KUBECNI_PASS_UNKNOWN_SENDER);

	__u32 sender;
	__builtin_memcpy(&sender, arp->sender_ip, 4);
	struct kubecni_endpoint *self = endpoint_of(sender);
	bool is_own = !sender || (self && self->host_ifindex == skb->ifindex);
	if (!is_own || !same_mac(arp->sender_mac, iface->pod_mac) ||
	    !same_mac(eth->h_source, iface->pod_mac))
		return drop(skb, KUBECNI_DROP_SPOOFED_ARP);
	return leave_to_kernel(skb, KUBECNI_PASS_ARP);
}

/* A sender that endpoints4 does not confirm: lying, or not known (any more). */
static __always_inline int on_unconfirmed_sender(struct __sk_buff *skb, const struct iphdr *ip)
{
	if (!ip->saddr) /* RFC 2131, section 4.1; no route leads back to it */
		return leave_to_kernel(skb, KUBECNI_PASS_NO_SOURCE);
	struct kubecni_pod_iface *iface = known_sender(skb);
	if (!iface)
		return leave_to_kernel(skb, KUBECNI_PASS_UNKNOWN_SENDER);

	__u32 own;
	__builtin_memcpy(&own, iface->addr4, 4);
	return drop(skb, ip->saddr == own ? KUBECNI_DROP_SPOOFED_MAC : KUBECNI_DROP_SPOOFED_IP);
}

/* Same node. Traffic between pods of one bridge is switched, not routed: TTL
 * and MACs stay as they are, just as on the bridge. */
static __always_inline int to_local_pod(struct __sk_buff *skb, const struct ethhdr *eth,
					const struct kubecni_endpoint *pod)
{
	if (!(pod->flags & KUBECNI_ENDPOINT_READY))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_READY);
	if (pod->flags & KUBECNI_ENDPOINT_SHAPED)
		return leave_to_kernel(skb, KUBECNI_PASS_SHAPED);
	if (!same_mac(eth->h_dest, pod->pod_mac))
		return leave_to_kernel(skb, KUBECNI_PASS_OTHER_MAC);

	count(skb, KUBECNI_FAST_TO_LOCAL_POD);
	/* The frame is addressed to the other pod, so it arrived as OTHERHOST,
	 * and before 6.15 it would stay that and be dropped by ip_rcv. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	set_ctx_u32(skb->mark, 0);
	return bpf_redirect_peer(pod->host_ifindex, 0);
}

/* Another node, routed: what the pod sends to its gateway. */
static __always_inline int to_node(struct __sk_buff *skb, struct iphdr *ip,
				   const struct kubecni_node4 *node)
{
	struct bpf_redir_neigh next = {.nh_family = AF_INET};
	__builtin_memcpy(&next.ipv4_nh, node->next_hop, 4);

	count(skb, KUBECNI_FAST_TO_NODE);
	spend_hop(ip);
	set_ctx_u32(skb->mark, KUBECNI_MARK_FAST);
	/* Or all pods would share the NIC queue that the veth's queue maps to. */
	set_ctx_u32(skb->queue_mapping, 0);
	return bpf_redirect_neigh(node->egress_ifindex, &next, sizeof(next), 0);
}

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	/* A redirect would keep the tag, and carry it to other hosts. */
	if (is_vlan_tagged(skb))
		return leave_to_kernel(skb, KUBECNI_PASS_VLAN);
	struct cursor cur = cursor_at_start(skb, HEADERS_LEN);
	struct ethhdr *eth = pull_eth(&cur);
	if (!eth)
		return drop(skb, KUBECNI_DROP_SHORT_PACKET);
	if (eth->h_proto == bpf_htons(ETH_P_ARP))
		return on_arp(skb, eth, &cur);
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_IPV4);

	struct iphdr *ip = pull_ipv4(&cur);
	if (!ip)
		return drop(skb, KUBECNI_DROP_SHORT_PACKET);
	if (!is_ipv4(ip))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_IPV4);
	struct kubecni_endpoint *self = endpoint_of(ip->saddr);
	if (!self || self->host_ifindex != skb->ifindex || !same_mac(eth->h_source, self->pod_mac))
		return on_unconfirmed_sender(skb, ip);
	if (self->flags & KUBECNI_ENDPOINT_SHAPED)
		return leave_to_kernel(skb, KUBECNI_PASS_SHAPED);
	if (is_multicast_mac(eth->h_dest))
		return leave_to_kernel(skb, KUBECNI_PASS_MULTICAST);
	if (ip->ihl != 5)
		return leave_to_kernel(skb, KUBECNI_PASS_IP_OPTIONS);
	if (is_fragment(ip))
		return leave_to_kernel(skb, KUBECNI_PASS_FRAGMENT);

	struct kubecni_endpoint *pod = endpoint_of(ip->daddr);
	struct kubecni_node4 *node = NULL;
	if (!pod) {
		node = node_of(ip->daddr);
		if (!node)
			return leave_to_kernel(skb, KUBECNI_PASS_NO_NODE);
		if (node->kind != KUBECNI_NODE_DIRECT)
			return leave_to_kernel(skb, KUBECNI_PASS_NO_ENDPOINT);
	}

	struct transport l4;
	int reason = read_transport(&cur, ip, &l4);
	if (reason == KUBECNI_DROP_SHORT_PACKET)
		return drop(skb, reason);
	if (reason >= 0)
		return leave_to_kernel(skb, reason);
	if (is_kernel_flow(ip, &l4))
		return leave_to_kernel(skb, KUBECNI_PASS_KERNEL_FLOW);

	if (pod)
		return to_local_pod(skb, eth, pod);
	if (!same_mac(eth->h_dest, self->gateway_mac))
		return leave_to_kernel(skb, KUBECNI_PASS_OTHER_MAC);
	if (ip->ttl <= 1)
		return leave_to_kernel(skb, KUBECNI_PASS_TTL_EXPIRED);
	if (wire_ip_len(skb, &l4) > node->mtu)
		return leave_to_kernel(skb, KUBECNI_PASS_OVER_MTU);
	return to_node(skb, ip, node);
}

char from_pod_license[] SEC("license") = "Dual BSD/GPL";
