/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who has an address: a pod of this node, or another node. */
#ifndef KUBECNI_BPF_LOOKUP_H
#define KUBECNI_BPF_LOOKUP_H

#include <linux/types.h>
#include <stdbool.h>

#include "maps.h"
#include "packet.h"
#include "transport.h"

/* The pod of this node that has the address in the network. */
static __always_inline struct kubecni_endpoint *endpoint_of(__u32 network, const void *addr,
							    int family)
{
	if (family == AF_INET6) {
		struct kubecni_endpoint6_key key = {.network = network};
		__builtin_memcpy(key.addr, addr, 16);
		return bpf_map_lookup_elem(&endpoints6, &key);
	}
	struct kubecni_endpoint4_key key = {.network = network};
	__builtin_memcpy(key.addr, addr, 4);
	return bpf_map_lookup_elem(&endpoints4, &key);
}

/* The same as a copy, which stays as it is: when the pod goes, the entry's
 * memory is another pod's at once. False: nobody has the address. */
static __always_inline bool read_endpoint(__u32 network, const void *addr, int family,
					  struct kubecni_endpoint *endpoint)
{
	const struct kubecni_endpoint *found = endpoint_of(network, addr, family);
	if (found)
		*endpoint = *found;
	return found;
}

/* The network of the pods of other nodes; 0: none. */
static __always_inline __u32 cluster_network(void)
{
	const __u32 only = 0;
	const struct kubecni_node_config *config = bpf_map_lookup_elem(&node_config, &only);
	return config ? config->cluster_network : 0;
}

/* Whether packets may go past the kernel's IPsec. */
static __always_inline bool may_bypass_ipsec(void)
{
	const __u32 only = 0;
	const struct kubecni_node_config *config = bpf_map_lookup_elem(&node_config, &only);
	return config && config->may_bypass_ipsec;
}

/* Whether packets of policed pods need the mark of the policies' table. */
static __always_inline bool is_judged_mark_needed(void)
{
	const __u32 only = 0;
	const struct kubecni_node_config *config = bpf_map_lookup_elem(&node_config, &only);
	return config && config->needs_judged_mark;
}

/* Whether pods of this node may have a pacer. */
static __always_inline bool may_be_paced(void)
{
	const __u32 only = 0;
	const struct kubecni_node_config *config = bpf_map_lookup_elem(&node_config, &only);
	return config && config->has_pacers;
}

static __always_inline bool is_tunnel_port(__u8 protocol, const __u8 *dst_port)
{
	const __u32 only = 0;
	if (protocol != IPPROTO_UDP)
		return false;
	const struct kubecni_node_config *config = bpf_map_lookup_elem(&node_config, &only);
	return config && dst_port[0] == config->tunnel_port[0] &&
	       dst_port[1] == config->tunnel_port[1];
}

/* Whether the packet is one of the tunnel's own. Netfilter does not translate
 * these, and there are many. */
static __always_inline bool is_tunnel_packet(const struct transport *l4)
{
	return is_tunnel_port(l4->protocol, l4->dst_port);
}

/* The pod interface that the packet comes from, or goes to. */
static __always_inline struct kubecni_pod_iface *pod_iface_of(const struct __sk_buff *skb)
{
	const __u32 ifindex = skb->ifindex;
	return bpf_map_lookup_elem(&pod_ifaces, &ifindex);
}

static __always_inline struct kubecni_node *node_of(const void *addr, int family)
{
	if (family == AF_INET6) {
		struct kubecni_cidr6_key key = {.prefixlen = 128};
		__builtin_memcpy(key.addr, addr, 16);
		return bpf_map_lookup_elem(&node_cidrs6, &key);
	}
	struct kubecni_cidr4_key key = {.prefixlen = 32};
	__builtin_memcpy(key.addr, addr, 4);
	return bpf_map_lookup_elem(&node_cidrs4, &key);
}

/* Whether it is another node that eBPF sends to. */
static __always_inline bool is_reached(const struct kubecni_node *node)
{
	return node->kind == KUBECNI_NODE_DIRECT || node->kind == KUBECNI_NODE_VXLAN;
}

/* Whether `addr` is a pod's of another node, whatever the way there: the
 * other node may reach us by a different way. */
static __always_inline bool is_remote_pod(const void *addr, int family)
{
	struct kubecni_node *node = node_of(addr, family);
	return node && node->kind != KUBECNI_NODE_LOCAL;
}

#endif /* KUBECNI_BPF_LOOKUP_H */
