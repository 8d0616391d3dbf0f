/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether netfilter has judged the packets of policed pods. The policies'
 * table marks what it lets pass. While it is not there, or a packet went round
 * it, the mark is missing, and to_pod, to_wire and to_tunnel drop the packet.
 *
 * A node always reaches its pods, and no table judges what it sends. */
#ifndef KUBECNI_BPF_JUDGED_H
#define KUBECNI_BPF_JUDGED_H

#include "lookup.h"
#include "packet.h"
#include "policed.h"

/* Whether the pod is policed that the packet comes from, or goes to, whatever
 * its addresses are. A global function: see judge_control4(). Weak, since
 * several objects have it. */
__weak __noinline int is_pod_policed(struct __sk_buff *skb)
{
	const struct kubecni_pod_iface *iface = pod_iface_of(skb);
	if (!iface)
		return false;
	if (is_unspecified(iface->addr4, AF_INET))
		return is_policed(endpoint_of(iface->network, iface->addr6, AF_INET6));
	return is_policed(endpoint_of(iface->network, iface->addr4, AF_INET));
}

/* Whether the packet's sender is policed, as from_pod says, and no table has let
 * it pass. */
static __always_inline bool lacks_judgement_of_sender(const struct __sk_buff *skb)
{
	return skb->tc_index == KUBECNI_TC_INDEX_POLICED && !(skb->mark & KUBECNI_MARK_JUDGED) &&
	       is_judged_mark_needed();
}

/* Whether the node itself has made the packet. A forwarded one has the device
 * that it came by. When the kernel cuts one of IPv6 into fragments, it does not
 * copy that (ip6_copy_metadata()), but only the node's own have a socket. `pkt`
 * is NULL if the IP header is broken. */
static __always_inline bool is_nodes_own(const struct __sk_buff *skb, const struct packet *pkt)
{
	if (skb->ingress_ifindex)
		return false;
	if (!pkt || pkt->family != AF_INET6 || is_plain(pkt) || skb->sk)
		return true;
	/* A query of the bridge for multicast listeners. */
	return pkt->v6->nexthdr == IPPROTO_HOPOPTS && pkt->v6->daddr.s6_addr[0] == 0xff;
}

/* to_pod: the same of both ends. */
static __always_inline bool lacks_judgement(struct __sk_buff *skb, const struct packet *pkt)
{
	if ((skb->mark & KUBECNI_MARK_JUDGED) || !is_judged_mark_needed())
		return false;
	return skb->tc_index == KUBECNI_TC_INDEX_POLICED ||
	       (!is_nodes_own(skb, pkt) && is_pod_policed(skb));
}

/* What the mark and the index were for is done. */
static __always_inline void clear_judgement(struct __sk_buff *skb)
{
	if (skb->mark & KUBECNI_MARK_JUDGED)
		set_ctx_u32(skb->mark, skb->mark & ~KUBECNI_MARK_JUDGED);
	if (skb->tc_index == KUBECNI_TC_INDEX_POLICED)
		set_ctx_u32(skb->tc_index, 0);
}

#endif /* KUBECNI_BPF_JUDGED_H */
