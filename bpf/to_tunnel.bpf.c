// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* to_tunnel: egress of the tunnel device. The packet has no outer header yet;
 * with it, it will be the node's own to to_wire. */
#include "leave.h"

SEC("tc")
int to_tunnel(struct __sk_buff *skb)
{
	const struct leave_reasons reasons = {.fast = KUBECNI_FAST_SENT_TO_TUNNEL,
					      .between_pods = KUBECNI_KERNEL_TO_TUNNEL,
					      .other = KUBECNI_KERNEL_TO_TUNNEL_OTHER};
	return watch_leaving(skb, reasons);
}

char to_tunnel_license[] SEC("license") = "Dual BSD/GPL";
