/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows of pods that a policy selects. Netfilter judges them, and the
 * programs know no policy. to_pod, to_wire and to_tunnel see what netfilter
 * has let pass, and note it. from_pod, from_wire and from_tunnel carry only
 * flows with such a note of the present generation: whoever changes the
 * policy raises that number. Conntrack has to know the flow, too, as netfilter
 * judges by who has opened it. */
#ifndef KUBECNI_BPF_POLICED_H
#define KUBECNI_BPF_POLICED_H

#include "flows.h"
#include "lookup.h"

static __always_inline bool is_policed(const struct kubecni_endpoint *pod)
{
	return pod && (pod->flags & KUBECNI_ENDPOINT_POLICED);
}

/* Whether netfilter has let a packet pass of the flow that the answer, of
 * the cache, is for. */
static __always_inline bool is_passed(const struct kubecni_flow_state *answer, __u32 generation)
{
	return (answer->owner == KUBECNI_FLOW_PASSED || answer->owner == KUBECNI_FLOW_POLICED) &&
	       answer->generation == generation;
}

/* The key that the packet had before netfilter translated it; `of_answer` is
 * how the packet that answers it leaves. */
static __always_inline void fill_key_before(struct kubecni_flow_state *note, int family,
					    struct transport *l4,
					    const struct kubecni_translation *of_answer)
{
	struct kubecni_flow_state *answer = note;
	const __u32 place = 0; /* filled in later */
	if (family == AF_INET6)
		FILL_KEY(&answer->flow.v6, 16, of_answer->dst, of_answer->src, of_answer->dst_port,
			 of_answer->src_port);
	else
		FILL_KEY(&answer->flow.v4, 4, of_answer->dst, of_answer->src, of_answer->dst_port,
			 of_answer->src_port);
}

/* Where the packets of the note's flow come from. False: no pod's. */
static __always_inline bool fill_place(struct kubecni_flow_state *note, int family, __u32 network)
{
	const void *src = family == AF_INET6 ? note->flow.v6.src : note->flow.v4.src;
	const struct kubecni_endpoint *sender = endpoint_of(network, src, family);
	if (!sender && !is_remote_pod(src, family))
		return false;
	const __u32 place = sender ? sender->host_ifindex : FROM_OUTSIDE;
	if (family == AF_INET6)
		note->flow.v6.place = place;
	else
		note->flow.v4.place = place;
	return true;
}

static __always_inline void note_passed(struct __sk_buff *skb, const int family, __u32 network)
{
	struct walk walk = {.pkt = {.family = family}};
	struct transport l4;
	if (!parse_headers(skb, &walk) || !is_plain(&walk.pkt) ||
	    read_transport(&walk.cur, &walk.pkt, &l4) != READ_FLOW)
		return;
	if (!can_ask_conntrack(&l4) || l4.is_error || l4.is_opening || l4.is_closing)
		return;
	struct kubecni_translation of_answer;
	struct kubecni_flow_state note = {};
	/* Young flows, too: what asks for the note looks at that itself, and to
	 * UDP without an answer, the answer's direction stays young. */
	const enum tracking tracking = ask_about_answer(skb, &walk.pkt, &l4, &of_answer);
	if (tracking == UNTRACKED || tracking == TRACKED_HANDSHAKE ||
	    tracking == TRANSLATED_SPECIAL)
		return;
	if (tracking >= TRANSLATED)
		fill_key_before(&note, family, &l4, &of_answer);
	else
		fill_key(&note, &walk.pkt, &l4, FROM_OUTSIDE);
	const __u32 generation = current_generation();
	if (!fill_place(&note, family, network) ||
	    (recall(&note, family) && is_passed(&note, generation)))
		return;
	note.owner = KUBECNI_FLOW_PASSED;
	remember(&note, family, generation);
}

/* Global functions: see judge_control4(). Weak, since several objects have
 * them. */
__weak __noinline int note_passed4(struct __sk_buff *skb, __u32 network)
{
	note_passed(skb, AF_INET, network);
	return 0;
}

__weak __noinline int note_passed6(struct __sk_buff *skb, __u32 network)
{
	note_passed(skb, AF_INET6, network);
	return 0;
}

/* Notes that netfilter has let the packet pass, which is on its way from or to
 * a policed pod of the network. */
static __always_inline void note_passed_packet(struct __sk_buff *skb, int family, __u32 network)
{
	if (family == AF_INET6)
		note_passed6(skb, network);
	else
		note_passed4(skb, network);
}

#endif /* KUBECNI_BPF_POLICED_H */
