/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether eBPF may carry a packet. from_pod checks the packets that it sends
 * on; from_wire and from_tunnel check those that they deliver. */
#ifndef KUBECNI_BPF_CARRY_H
#define KUBECNI_BPF_CARRY_H

#include "exits.h"
#include "flows.h"
#include "packet.h"
#include "transport.h"

/* Judges the pod at one end. */
static __always_inline struct exit judge_pod(const struct kubecni_endpoint *pod)
{
	if (!(pod->flags & KUBECNI_ENDPOINT_READY))
		return EXIT(PASS_NOT_READY);
	if (pod->flags & KUBECNI_ENDPOINT_SHAPED)
		return EXIT(PASS_SHAPED);
	return CONTINUE;
}

/* Judges the IP header and its length. */
static __always_inline struct exit judge_ip_header(const struct packet *pkt)
{
	if (is_plain(pkt))
		return CONTINUE;
	if (pkt->family == AF_INET6)
		return EXIT(PASS_EXTENSION_HEADER);
	return pkt->v4->ihl != 5 ? EXIT(PASS_IP_OPTIONS) : EXIT(PASS_FRAGMENT);
}

static __always_inline struct exit judge_hops(const struct packet *pkt)
{
	return hops_of(pkt) <= 1 ? EXIT(PASS_TTL_EXPIRED) : CONTINUE;
}

/* Judges the flow of the packet. Fills `l4` from the transport header, which
 * comes next. */
static __always_inline struct exit judge_flow(struct __sk_buff *skb, struct cursor *cur,
					      const struct packet *pkt, struct transport *l4)
{
	switch (read_transport(cur, pkt, l4)) {
	case READ_FLOW:
		return is_kernel_flow(skb, pkt, l4) ? EXIT(PASS_KERNEL_FLOW) : CONTINUE;
	case READ_SHORT:
		return EXIT(DROP_SHORT_PACKET);
	case READ_ND:
		return EXIT(PASS_NEIGHBOUR_DISCOVERY);
	case READ_OTHER:
		break;
	}
	return EXIT(PASS_PROTOCOL);
}

/* Puts the packet into the pod's namespace, past the bridge. A veth would take
 * mark and priority off; the helper leaves them on every kernel so far. */
static __always_inline void redirect_into(struct __sk_buff *skb, const struct kubecni_endpoint *pod)
{
	set_ctx_u32(skb->mark, 0);
	set_ctx_u32(skb->priority, 0);
	bpf_redirect_peer(pod->host_ifindex, 0);
}

#endif /* KUBECNI_BPF_CARRY_H */
