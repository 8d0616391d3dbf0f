// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_wire: ingress of a node's NIC. It delivers what pods of other nodes
 * send to pods of this one. Everything else is the host's: also what a node
 * itself sends to a pod, since the answer to that goes by the kernel. */
#include "exits.h"
#include "flows.h"
#include "lookup.h"
#include "packet.h"

#define HEADERS_LEN (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr))

SEC("tc")
int from_wire(struct __sk_buff *skb)
{
	/* That is the traffic of a VLAN device above this one. */
	if (is_vlan_tagged(skb))
		return leave_to_kernel(skb, KUBECNI_PASS_VLAN);
	if (skb->protocol != bpf_htons(ETH_P_IP))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_IPV4);
	if (skb->pkt_type != PACKET_HOST)
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_TO_HOST);

	struct cursor cur = cursor_at_start(skb, HEADERS_LEN);
	struct ethhdr *eth = pull_eth(&cur);
	struct iphdr *ip = eth ? pull_ipv4(&cur) : NULL;
	if (!ip || !is_ipv4(ip))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_IPV4);
	struct kubecni_endpoint *pod = endpoint_of(ip->daddr);
	if (!pod)
		return leave_to_kernel(skb, KUBECNI_PASS_NO_ENDPOINT);
	if (!(pod->flags & KUBECNI_ENDPOINT_READY))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_READY);
	if (pod->flags & KUBECNI_ENDPOINT_SHAPED)
		return leave_to_kernel(skb, KUBECNI_PASS_SHAPED);
	if (!is_remote_pod(ip->saddr))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_FROM_POD);
	if (ip->ihl != 5)
		return leave_to_kernel(skb, KUBECNI_PASS_IP_OPTIONS);
	if (is_fragment(ip))
		return leave_to_kernel(skb, KUBECNI_PASS_FRAGMENT);
	if (ip->ttl <= 1)
		return leave_to_kernel(skb, KUBECNI_PASS_TTL_EXPIRED);

	struct transport l4;
	int reason = read_transport(&cur, ip, &l4);
	if (reason == KUBECNI_DROP_SHORT_PACKET)
		return drop(skb, reason);
	if (reason >= 0)
		return leave_to_kernel(skb, reason);
	if (is_kernel_flow(ip, &l4))
		return leave_to_kernel(skb, KUBECNI_PASS_KERNEL_FLOW);

	count(skb, KUBECNI_FAST_FROM_WIRE);
	spend_hop(ip);
	__builtin_memcpy(eth->h_dest, pod->pod_mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, pod->gateway_mac, ETH_ALEN);
	set_ctx_u32(skb->mark, 0);
	return bpf_redirect_peer(pod->host_ifindex, 0);
}

char from_wire_license[] SEC("license") = "Dual BSD/GPL";
