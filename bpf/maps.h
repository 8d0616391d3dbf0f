/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps. Weak, so that each program's object may hold them all and the
 * linker makes one set of it. */
#ifndef KUBECNI_BPF_MAPS_H
#define KUBECNI_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "kubecni/abi.h"

/* PodCIDR of each node -> how to reach that node. Written by kube-cnid. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KUBECNI_MAX_NODE_CIDRS);
	__type(key, struct kubecni_cidr4_key);
	__type(value, struct kubecni_node);
} node_cidrs4 __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KUBECNI_MAX_NODE_CIDRS);
	__type(key, struct kubecni_cidr6_key);
	__type(value, struct kubecni_node);
} node_cidrs6 __weak SEC(".maps");

/* Network and address of each local pod -> its interface. Written by kube-cni. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KUBECNI_MAX_ENDPOINTS);
	__type(key, struct kubecni_endpoint4_key);
	__type(value, struct kubecni_endpoint);
} endpoints4 __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KUBECNI_MAX_ENDPOINTS);
	__type(key, struct kubecni_endpoint6_key);
	__type(value, struct kubecni_endpoint);
} endpoints6 __weak SEC(".maps");

/* Host ifindex of each local pod -> who it is. Written by kube-cni. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KUBECNI_MAX_ENDPOINTS);
	__type(key, __u32);
	__type(value, struct kubecni_pod_iface);
} pod_ifaces __weak SEC(".maps");

/* What holds for the whole node. Written by kube-cnid. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kubecni_node_config);
} node_config __weak SEC(".maps");

/* Who carries which flow. Written by every program. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KUBECNI_MAX_FLOWS);
	__type(key, struct kubecni_flow4);
	__type(value, struct kubecni_flow_state);
} flows4 __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KUBECNI_MAX_FLOWS);
	__type(key, struct kubecni_flow6);
	__type(value, struct kubecni_flow_state);
} flows6 __weak SEC(".maps");

/* Outer source -> whose packets from_tunnel takes. Written by kube-cnid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KUBECNI_MAX_TUNNEL_PEERS);
	__type(key, struct kubecni_addr4);
	__type(value, struct kubecni_tunnel_peer);
} tunnel_peers4 __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KUBECNI_MAX_TUNNEL_PEERS);
	__type(key, struct kubecni_addr6);
	__type(value, struct kubecni_tunnel_peer);
} tunnel_peers6 __weak SEC(".maps");

/* Exit reason -> packets and bytes. Written by every program. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KUBECNI_MAX_EXIT_REASONS);
	__type(key, __u32);
	__type(value, struct kubecni_count);
} exit_counts __weak SEC(".maps");

#endif /* KUBECNI_BPF_MAPS_H */
