// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* to_pod: egress of the host end of a pod's veth. A redirect into a pod passes
 * this hook by, so it sees exactly what the kernel path delivers, and records
 * the flows whose other direction could be redirected. */
#include "exits.h"
#include "flows.h"
#include "lookup.h"
#include "packet.h"

#define HEADERS_LEN (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr))

SEC("tc")
int to_pod(struct __sk_buff *skb)
{
	if (is_vlan_tagged(skb))
		return leave_to_kernel(skb, KUBECNI_PASS_VLAN);
	struct cursor cur = cursor_at_start(skb, HEADERS_LEN);
	struct ethhdr *eth = pull_eth(&cur);
	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return leave_to_kernel(skb, KUBECNI_PASS_NOT_IPV4);
	/* The bridge's own group reports among others: no traffic of the pod's. */
	if (is_multicast_mac(eth->h_dest))
		return leave_to_kernel(skb, KUBECNI_PASS_MULTICAST);
	struct iphdr *ip = pull_ipv4(&cur);
	struct transport l4;
	if (ip && is_ipv4(ip) && ip->ihl == 5 && !is_later_fragment(ip) &&
	    (endpoint_of(ip->saddr) || is_remote_pod(ip->saddr)) &&
	    read_transport(&cur, ip, &l4) < 0)
		record_kernel_flow(ip, &l4, KUBECNI_FLOW_TO_POD);
	return leave_to_kernel(skb, KUBECNI_KERNEL_TO_POD);
}

char to_pod_license[] SEC("license") = "Dual BSD/GPL";
