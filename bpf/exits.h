/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ways out of a program. Each counts its reason. */
#ifndef KUBECNI_BPF_EXITS_H
#define KUBECNI_BPF_EXITS_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "maps.h"

static __always_inline void count(struct __sk_buff *skb, __u32 reason)
{
	struct kubecni_count *slot = bpf_map_lookup_elem(&exit_counts, &reason);
	if (!slot)
		return;
	/* The slot is this CPU's own and a program is not preempted by itself. */
	slot->packets += 1;
	slot->bytes += skb->len;
}

/* The next program of the hook, and then the kernel path, get the packet as it
 * came: nothing may have been written to it. */
static __always_inline int leave_to_kernel(struct __sk_buff *skb, __u32 reason)
{
	count(skb, reason);
	return TC_ACT_UNSPEC;
}

static __always_inline int drop(struct __sk_buff *skb, __u32 reason)
{
	count(skb, reason);
	return TC_ACT_SHOT;
}

#endif /* KUBECNI_BPF_EXITS_H */
