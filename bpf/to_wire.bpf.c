// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* to_wire: egress of a node's NIC. */
#include "leave.h"

SEC("tc")
int to_wire(struct __sk_buff *skb)
{
	const struct leave_reasons reasons = {.fast = KUBECNI_FAST_SENT_TO_WIRE,
					      .between_pods = KUBECNI_KERNEL_TO_WIRE,
					      .other = KUBECNI_KERNEL_TO_WIRE_OTHER};
	return watch_leaving(skb, reasons);
}

char to_wire_license[] SEC("license") = "Dual BSD/GPL";
