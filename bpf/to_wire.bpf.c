// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* to_wire: egress of a node's NIC. What from_pod sent itself carries a mark;
 * the rest came by the kernel path, and of that the flows between pods are
 * recorded, so that from_wire leaves their answers to the kernel. */
#include "exits.h"
#include "flows.h"
#include "lookup.h"
#include "packet.h"

#define HEADERS_LEN (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr))

SEC("tc")
int to_wire(struct __sk_buff *skb)
{
	if (skb->mark & KUBECNI_MARK_FAST) {
		set_ctx_u32(skb->mark, skb->mark & ~KUBECNI_MARK_FAST);
		return leave_to_kernel(skb, KUBECNI_FAST_SENT_TO_WIRE);
	}
	if (is_vlan_tagged(skb) || skb->protocol != bpf_htons(ETH_P_IP))
		return leave_to_kernel(skb, KUBECNI_KERNEL_TO_WIRE_OTHER);

	struct cursor cur = cursor_at_start(skb, HEADERS_LEN);
	struct iphdr *ip = pull_eth(&cur) ? pull_ipv4(&cur) : NULL;
	if (!ip || !is_ipv4(ip) || !is_remote_pod(ip->daddr))
		return leave_to_kernel(skb, KUBECNI_KERNEL_TO_WIRE_OTHER);
	if (!endpoint_of(ip->saddr) && !is_remote_pod(ip->saddr))
		return leave_to_kernel(skb, KUBECNI_KERNEL_TO_WIRE_OTHER);

	struct transport l4;
	if (ip->ihl == 5 && !is_later_fragment(ip) && read_transport(&cur, ip, &l4) < 0)
		record_kernel_flow(ip, &l4, KUBECNI_FLOW_TO_WIRE);
	return leave_to_kernel(skb, KUBECNI_KERNEL_TO_WIRE);
}

char to_wire_license[] SEC("license") = "Dual BSD/GPL";
