/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who has an address: a pod of this node, or a node of the cluster. */
#ifndef KUBECNI_BPF_LOOKUP_H
#define KUBECNI_BPF_LOOKUP_H

#include <linux/types.h>
#include <stdbool.h>

#include "maps.h"

static __always_inline struct kubecni_endpoint *endpoint_of(__be32 addr)
{
	struct kubecni_addr4 key;
	__builtin_memcpy(key.addr, &addr, 4);
	return bpf_map_lookup_elem(&endpoints4, &key);
}

static __always_inline struct kubecni_node4 *node_of(__be32 addr)
{
	struct kubecni_cidr4_key key = {.prefixlen = 32};
	__builtin_memcpy(key.addr, &addr, 4);
	return bpf_map_lookup_elem(&node_cidrs4, &key);
}

/* Whether `addr` is that of a pod of another node. */
static __always_inline bool is_remote_pod(__be32 addr)
{
	struct kubecni_node4 *node = node_of(addr);
	return node && node->kind != KUBECNI_NODE_LOCAL;
}

#endif /* KUBECNI_BPF_LOOKUP_H */
