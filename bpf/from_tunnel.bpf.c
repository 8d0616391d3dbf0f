// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_tunnel: ingress of the tunnel device. Anybody who reaches the node can
 * send to its tunnel's port, so that only the nodes of the cluster are heard,
 * whatever becomes of the packet then. */
#include "deliver.h"
#include "tunnel.h"

SEC("tc")
int from_tunnel(struct __sk_buff *skb)
{
	int reason = judge_outer_header(skb);
	if (reason == KUBECNI_PASS_NO_PEERS)
		return leave_to_kernel(skb, reason);
	if (reason >= 0)
		return drop(skb, reason);
	return deliver(skb, KUBECNI_FAST_FROM_TUNNEL);
}

char from_tunnel_license[] SEC("license") = "Dual BSD/GPL";
