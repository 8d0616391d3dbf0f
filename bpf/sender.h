/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether a pod's source addresses are its own. A packet counts as spoofed
 * only if the maps agree on whose interface it is: emptied maps must not
 * stop a pod. */
#ifndef KUBECNI_BPF_SENDER_H
#define KUBECNI_BPF_SENDER_H

#include "lookup.h"

/* The endpoint of the address, if it is the pod's behind this interface. */
static __always_inline struct kubecni_endpoint *
own_endpoint(const struct __sk_buff *skb, __u32 network, const void *addr, int family)
{
	struct kubecni_endpoint *self = endpoint_of(network, addr, family);
	return self && self->host_ifindex == skb->ifindex ? self : NULL;
}

/* Whether the endpoints agree with the record of the interface: the pod must
 * have the endpoint of the record's address, of `family` if it has one, else
 * of the other. */
static __always_inline bool is_confirmed(const struct __sk_buff *skb,
					 const struct kubecni_pod_iface *iface, int family)
{
	const bool has_v4 = !is_unspecified(iface->addr4, AF_INET);
	const bool has_v6 = !is_unspecified(iface->addr6, AF_INET6);
	const bool by_v6 = family == AF_INET6 ? has_v6 : !has_v4;
	const struct kubecni_endpoint *self =
		by_v6 ? own_endpoint(skb, iface->network, iface->addr6, AF_INET6)
		      : own_endpoint(skb, iface->network, iface->addr4, AF_INET);
	return self && same_mac(self->pod_mac, iface->pod_mac);
}

/* Reads the record of the pod behind this interface. False: there is none, or
 * the endpoints do not agree. The record is a copy: entries come and go while
 * a packet is judged, and another one takes their memory at once. */
static __always_inline bool read_sender(const struct __sk_buff *skb, int family,
					struct kubecni_pod_iface *iface)
{
	const struct kubecni_pod_iface *found = pod_iface_of(skb);
	if (!found)
		return false;
	*iface = *found;
	return is_confirmed(skb, iface, family);
}

/* Whether the address is one of the pod. The endpoint that confirms a pod is
 * written after the pod's others, and goes first. So a missing one means
 * something only while the pod is still confirmed. */
static __always_inline bool is_own_addr(const struct __sk_buff *skb,
					const struct kubecni_pod_iface *iface, const void *addr,
					int family)
{
	return own_endpoint(skb, iface->network, addr, family) ||
	       !is_confirmed(skb, iface, family) || own_endpoint(skb, iface->network, addr, family);
}

/* Whether `addr` is in fe80::/10. */
static __always_inline bool is_link_local(const __u8 *addr)
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* Whether `addr` is the link-local address that an interface with this MAC
 * assigns itself: RFC 4291, appendix A. */
static __always_inline bool is_link_local_of(const __u8 *addr, const __u8 *mac)
{
	const __u32 *word = (const void *)addr;
	return word[0] == bpf_htonl(0xfe800000) && !word[1] && addr[8] == (mac[0] ^ 2) &&
	       addr[9] == mac[1] && addr[10] == mac[2] && addr[11] == 0xff && addr[12] == 0xfe &&
	       addr[13] == mac[3] && addr[14] == mac[4] && addr[15] == mac[5];
}

#endif /* KUBECNI_BPF_SENDER_H */
