// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* to_tunnel: egress of the tunnel device. The packet has no outer header
 * yet. With it, to_wire will see a packet of the node's own. */
#define THIS_PROGRAM KUBECNI_BY_TO_TUNNEL

#include "leave.h"

SEC("tc")
int to_tunnel(struct __sk_buff *skb)
{
	const struct leave_exits exits = {.fast = EXIT(FAST_SENT_TO_TUNNEL),
					  .between_pods = EXIT(KERNEL_TO_TUNNEL),
					  .other = EXIT(KERNEL_TO_TUNNEL_OTHER)};
	return leave(skb->len, watch_leaving(skb, exits));
}

char to_tunnel_license[] SEC("license") = "Dual BSD/GPL";
