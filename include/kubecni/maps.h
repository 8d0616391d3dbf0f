/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All maps. bpf/maps.h declares them from this list, and userspace pins them
 * by it. A test checks that docs/architecture.md names each. */
#ifndef KUBECNI_MAPS_H
#define KUBECNI_MAPS_H

#include "kubecni/abi.h"

/* Columns: the name, at most 15 characters; BPF_MAP_TYPE_*; flags; capacity;
 * key; value. */
#define KUBECNI_MAPS(X)                                                                            \
	X(node_cidrs4, LPM_TRIE, BPF_F_NO_PREALLOC, KUBECNI_MAX_NODE_CIDRS,                        \
	  struct kubecni_cidr4_key, struct kubecni_node)                                           \
	X(node_cidrs6, LPM_TRIE, BPF_F_NO_PREALLOC, KUBECNI_MAX_NODE_CIDRS,                        \
	  struct kubecni_cidr6_key, struct kubecni_node)                                           \
	X(endpoints4, HASH, 0, KUBECNI_MAX_ENDPOINTS, struct kubecni_endpoint4_key,                \
	  struct kubecni_endpoint)                                                                 \
	X(endpoints6, HASH, 0, KUBECNI_MAX_ENDPOINTS, struct kubecni_endpoint6_key,                \
	  struct kubecni_endpoint)                                                                 \
	/* Key: the host ifindex. */                                                               \
	X(pod_ifaces, HASH, 0, KUBECNI_MAX_ENDPOINTS, __u32, struct kubecni_pod_iface)             \
	X(node_config, ARRAY, 0, 1, __u32, struct kubecni_node_config)                             \
	X(map_generation, ARRAY, BPF_F_MMAPABLE, 1, __u32, struct kubecni_generation)              \
	X(flows4, LRU_HASH, 0, KUBECNI_MAX_FLOWS, struct kubecni_flow4, struct kubecni_flow_state) \
	X(flows6, LRU_HASH, 0, KUBECNI_MAX_FLOWS, struct kubecni_flow6, struct kubecni_flow_state) \
	/* Keys: the host ifindex; the ifindex of a device on which fq keeps departure times. */   \
	X(pacers, HASH, BPF_F_NO_PREALLOC, KUBECNI_MAX_ENDPOINTS, __u32, struct kubecni_pacer)     \
	X(pacing_devices, HASH, BPF_F_NO_PREALLOC, KUBECNI_MAX_PACING_DEVICES, __u32, __u32)       \
	X(tunnel_peers4, HASH, 0, KUBECNI_MAX_TUNNEL_PEERS, struct kubecni_addr4,                  \
	  struct kubecni_tunnel_peer)                                                              \
	X(tunnel_peers6, HASH, 0, KUBECNI_MAX_TUNNEL_PEERS, struct kubecni_addr6,                  \
	  struct kubecni_tunnel_peer)                                                              \
	/* Key: the exit reason. */                                                                \
	X(exit_counts, PERCPU_ARRAY, 0, KUBECNI_MAX_EXIT_REASONS, __u32, struct kubecni_count)

#endif /* KUBECNI_MAPS_H */
