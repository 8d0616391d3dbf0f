// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* from_wire: ingress of a node's NIC. */
#include "deliver.h"

SEC("tc")
int from_wire(struct __sk_buff *skb)
{
	return deliver(skb, KUBECNI_FAST_FROM_WIRE);
}

char from_wire_license[] SEC("license") = "Dual BSD/GPL";
