// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_wire: ingress of a node's NIC. */
#define THIS_PROGRAM KUBECNI_BY_FROM_WIRE

#include "deliver.h"

SEC("tc")
int from_wire(struct __sk_buff *skb)
{
	const __u32 frame_len = skb->len;
	return leave(frame_len, deliver(skb, REDIRECTED(FAST_FROM_WIRE)));
}

char from_wire_license[] SEC("license") = "Dual BSD/GPL";
