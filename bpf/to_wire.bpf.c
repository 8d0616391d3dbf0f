// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* to_wire: egress of a node's NIC. */
#define THIS_PROGRAM KUBECNI_BY_TO_WIRE

#include "leave.h"

SEC("tc")
int to_wire(struct __sk_buff *skb)
{
	const struct leave_exits exits = {.fast = EXIT(FAST_SENT_TO_WIRE),
					  .between_pods = EXIT(KERNEL_TO_WIRE),
					  .other = EXIT(KERNEL_TO_WIRE_OTHER)};
	return leave(skb->len, watch_leaving(skb, exits));
}

char to_wire_license[] SEC("license") = "Dual BSD/GPL";
