// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* to_pod: egress of the host end of a pod's veth. A redirect into a pod
 * skips this hook. So it sees what the kernel path delivers, and what eBPF
 * sends through the limit of the pod's bandwidth, which has a mark. It drops
 * what netfilter should have judged and has not, and notes flows whose other
 * direction could be redirected. */
#define THIS_PROGRAM KUBECNI_BY_TO_POD

#include "exits.h"
#include "flows.h"
#include "judged.h"
#include "lookup.h"
#include "packet.h"
#include "policed.h"

/* Notes a packet whose answer, or whose flow, eBPF could carry. */
static __always_inline void note(struct __sk_buff *skb, const struct packet *pkt)
{
	const struct kubecni_pod_iface *iface = pod_iface_of(skb);
	const __u32 network = iface ? iface->network : 0;
	const struct kubecni_endpoint *sender = endpoint_of(network, src_of(pkt), pkt->family);
	const bool is_from_pod = sender || is_remote_pod(src_of(pkt), pkt->family);
	/* The packet's headers cannot be read any more after that. */
	if (is_policed(sender) || is_policed(endpoint_of(network, dst_of(pkt), pkt->family)))
		note_passed_packet(skb, pkt->family, network);
	if (is_from_pod)
		note_kernel_packet(skb, pkt->family, skb->ifindex);
}

static __always_inline struct exit watch_packet(struct __sk_buff *skb, const struct packet *pkt,
						const struct cursor *cur)
{
	if (is_nd(pkt, cur))
		return EXIT(PASS_NEIGHBOUR_DISCOVERY);
	if (lacks_judgement(skb, pkt))
		return EXIT(DROP_NOT_JUDGED);
	/* Group reports of the bridge, for example: not the pod's traffic. */
	if (is_multicast_mac(pkt->eth->h_dest))
		return EXIT(PASS_MULTICAST);
	note(skb, pkt);
	return EXIT(KERNEL_TO_POD);
}

/* Apart: the verifier of 6.1 does not remember whether there is a header. */
static __always_inline struct exit watch_broken_packet(struct __sk_buff *skb,
						       const struct ethhdr *eth)
{
	if (lacks_judgement(skb, NULL))
		return EXIT(DROP_NOT_JUDGED);
	return is_multicast_mac(eth->h_dest) ? EXIT(PASS_MULTICAST) : EXIT(KERNEL_TO_POD);
}

static __always_inline struct exit watch_delivery(struct __sk_buff *skb, struct ethhdr *eth,
						  struct cursor *cur, const int family)
{
	struct packet pkt = {.family = family, .eth = eth};
	if (pull_ip(cur, &pkt) && is_sound(&pkt))
		return watch_packet(skb, &pkt, cur);
	return watch_broken_packet(skb, eth);
}

static __always_inline struct exit watch(struct __sk_buff *skb)
{
	if ((skb->mark & KUBECNI_MARK_FAST) && skb->tc_index == KUBECNI_TC_INDEX_FAST) {
		set_ctx_u32(skb->mark, 0);
		set_ctx_u32(skb->tc_index, 0);
		return EXIT(FAST_SENT_TO_POD);
	}
	if (is_vlan_tagged(skb))
		return lacks_judgement(skb, NULL) ? EXIT(DROP_NOT_JUDGED) : EXIT(PASS_VLAN);
	struct cursor cur = cursor_at_headers(skb);
	struct ethhdr *eth = pull_eth(&cur);
	if (eth && eth->h_proto == bpf_htons(ETH_P_IP))
		return watch_delivery(skb, eth, &cur, AF_INET);
	if (eth && eth->h_proto == bpf_htons(ETH_P_IPV6))
		return watch_delivery(skb, eth, &cur, AF_INET6);
	return EXIT(PASS_NOT_IP);
}

SEC("tc")
int to_pod(struct __sk_buff *skb)
{
	const struct exit exit = watch(skb);
	/* A veth leaves the index on, and the pod may send the packet on. */
	clear_judgement(skb);
	return leave(skb->len, exit);
}

char to_pod_license[] SEC("license") = "Dual BSD/GPL";
