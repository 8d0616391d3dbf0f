/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What from_pod, from_wire and from_tunnel share: they look for the answer of
 * a known flow, decide about an unknown one, and carry the packet. */
#ifndef KUBECNI_BPF_CARRY_H
#define KUBECNI_BPF_CARRY_H

#include "exits.h"
#include "flows.h"
#include "lookup.h"
#include "packet.h"
#include "policed.h"
#include "translate.h"
#include "transport.h"
#include "way.h"

/* What the stages find out about a packet. Without pointers into it, so that
 * global functions can have it. */
struct flow {
	struct exit exit; /* of the last stage */
	struct transport l4;
	__u32 place;   /* that it comes from, as in the key */
	__u32 network; /* of the pods that it may go to */
	__u32 generation;
	__u32 former_egress; /* the device by which the translated flow left the cluster so far */
	bool is_elsewhere;   /* its destination is no pod's that eBPF reaches */
	bool is_noted;	     /* the kernel path has carried it, and conntrack cannot be asked */
	bool is_outer;	     /* it is one of the tunnel's own packets */
	bool is_kept;	     /* the answer is for the cache */
	bool needs_way;	     /* netfilter translates it, and eBPF may carry it */
	bool is_policed;     /* a policy selects a pod of this node that has a part in it */
	bool is_paced;	     /* a pacer limits what its sender sends */
	bool is_passed;	     /* netfilter has let a packet of it pass */
	bool is_settled;     /* conntrack knows it, and has seen enough of it */
	__u8 tos;	     /* of the packet that is sent */
	struct kubecni_flow_state answer;
};

/* Makes NAME4 and NAME6 of a stage: global functions, which the verifier walks
 * once (see judge_control4()). `linkage` is __weak if several objects have
 * them. */
#define GLOBAL_STAGE(linkage, name, stage)                                                         \
	linkage __noinline int name##4(struct __sk_buff * skb, struct flow * flow)                 \
	{                                                                                          \
		if (flow)                                                                          \
			flow->exit = stage(skb, AF_INET, flow);                                    \
		return 0;                                                                          \
	}                                                                                          \
	linkage __noinline int name##6(struct __sk_buff * skb, struct flow * flow)                 \
	{                                                                                          \
		if (flow)                                                                          \
			flow->exit = stage(skb, AF_INET6, flow);                                   \
		return 0;                                                                          \
	}

#define RUN_STAGE(name, skb, family, flow)                                                         \
	((family) == AF_INET6 ? name##6(skb, flow) : name##4(skb, flow))

/* The exits of a program. */
struct carry_exits {
	struct exit to_pod;
	struct exit to_node;
	struct exit to_tunnel;
	struct exit elsewhere; /* not to a pod */
};

/* Judges the pod at one end. */
static __always_inline struct exit judge_pod(const struct kubecni_endpoint *pod)
{
	if (!(pod->flags & KUBECNI_ENDPOINT_READY))
		return EXIT(PASS_NOT_READY);
	if (is_kernels(pod))
		return EXIT(PASS_SHAPED);
	return CONTINUE;
}

/* Whether eBPF must not carry the packet because a pod of this node is paced: what
 * it sends to another one waits in a discipline of the kernel, and so the answers
 * take the kernel path, too. */
static __always_inline bool is_between_paced(const struct flow *flow)
{
	const struct kubecni_flow_state *answer = &flow->answer;
	return answer->is_to_pod &&
	       (flow->is_paced || (answer->pod.flags & KUBECNI_ENDPOINT_PACED));
}

/* Whether the limit of what the sender sends is kept, if it has one. */
static __always_inline bool is_paceable(const struct flow *flow)
{
	const struct kubecni_flow_state *answer = &flow->answer;
	if (answer->is_to_pod)
		return !is_between_paced(flow);
	if (!flow->is_paced)
		return true;
	/* The tunnel's device sends by the same one as the programs. */
	const struct kubecni_node *node = &answer->node;
	const __u32 device =
		node->kind == KUBECNI_NODE_VXLAN ? node->outer_ifindex : node->egress_ifindex;
	return bpf_map_lookup_elem(&pacing_devices, &device);
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

/* Whether the frame is like that for which the answer was found: nobody but
 * its pod may send it. */
static __always_inline bool is_expected_frame(const struct ethhdr *eth, const struct flow *flow)
{
	return flow->place == FROM_OUTSIDE || (same_mac(eth->h_dest, flow->answer.eth_dst) &&
					       same_mac(eth->h_source, flow->answer.eth_src));
}

/* Looks for the answer. The IP header was read; what follows it stays to be
 * read. */
static __always_inline bool is_known(const struct walk *walk, struct flow *flow)
{
	struct kubecni_flow_state *answer = &flow->answer;
	struct cursor peek = walk->cur;
	if (!is_plain(&walk->pkt) || read_transport(&peek, &walk->pkt, &flow->l4) != READ_FLOW)
		return false;
	flow->is_outer = flow->place == FROM_OUTSIDE && is_tunnel_packet(&flow->l4);
	if (flow->is_outer)
		return false;
	fill_key(answer, &walk->pkt, &flow->l4, flow->place);
	if (!recall(answer, walk->pkt.family))
		return false;
	if (answer->is_translated && !answer->is_to_pod &&
	    answer->node.kind == KUBECNI_NODE_OUTSIDE)
		flow->former_egress = answer->node.egress_ifindex;
	flow->is_passed = is_passed(answer, flow->generation);
	if (!is_current(answer, &flow->l4, flow->generation))
		return false;
	flow->is_noted = answer->owner == KUBECNI_FLOW_KERNEL && !can_ask_conntrack(&flow->l4);
	return !flow->is_noted && !flow->l4.is_error && is_expected_frame(walk->pkt.eth, flow);
}

/* What an answer says before anything was decided. */
static __always_inline void clear_answer(struct flow *flow, bool is_routed)
{
	flow->answer.owner = 0;
	flow->answer.is_translated = false;
	flow->answer.is_routed = is_routed;
}

static __always_inline bool is_decided(const struct flow *flow)
{
	return flow->answer.owner;
}

/* The cache gets the answer later: before kernel 6.2, a global function can
 * write to a map only from its own stack. */
static __always_inline void keep_answer(const struct packet *pkt, struct flow *flow,
					enum kubecni_flow_owner owner)
{
	flow->answer.owner = owner;
	flow->is_kept = true;
	__builtin_memcpy(flow->answer.eth_dst, pkt->eth->h_dest, ETH_ALEN);
	__builtin_memcpy(flow->answer.eth_src, pkt->eth->h_source, ETH_ALEN);
}

/* Whether the route of a masqueraded flow has changed. Its source is the
 * address of the former device, so netfilter ends such a flow when it sees the
 * next packet. */
static __always_inline bool leaves_by_another_device(const struct flow *flow)
{
	return !flow->answer.is_to_pod && flow->former_egress &&
	       flow->answer.node.egress_ifindex != flow->former_egress;
}

/* Decides about a flow that netfilter translates. */
static __always_inline void decide_translated(const struct walk *walk, struct flow *flow,
					      enum tracking tracking)
{
	struct kubecni_flow_state *answer = &flow->answer;
	answer->is_translated = true;
	if (tracking == TRANSLATED_SPECIAL)
		return keep_answer(&walk->pkt, flow, KUBECNI_FLOW_SPECIAL);
	if (tracking == TRANSLATED) {
		answer->owner = KUBECNI_FLOW_NO_WAY; /* so far */
		flow->needs_way = flow->is_settled = true;
		return;
	}
	/* The next packet of TCP may complete the handshake. UDP takes two
	 * seconds. */
	if (flow->l4.protocol == IPPROTO_TCP)
		answer->owner = KUBECNI_FLOW_HANDSHAKE;
	else
		keep_answer(&walk->pkt, flow, KUBECNI_FLOW_HANDSHAKE);
}

/* Finds the way of a flow that netfilter translates. */
static __always_inline struct exit find_translated_way(struct __sk_buff *skb, const int family,
						       struct flow *flow)
{
	struct walk walk = {.pkt = {.family = family}};
	if (!parse_headers(skb, &walk))
		return EXIT(DROP_SHORT_PACKET);
	const bool has_way =
		find_way(skb, &walk.pkt, &flow->l4, flow->place, flow->network, &flow->answer) &&
		!leaves_by_another_device(flow);
	if (flow->answer.is_to_pod && is_policed(&flow->answer.pod))
		flow->is_policed = true;
	keep_answer(&walk.pkt, flow, has_way ? KUBECNI_FLOW_EBPF : KUBECNI_FLOW_NO_WAY);
	return CONTINUE;
}

GLOBAL_STAGE(__weak, find_translated_way, find_translated_way)

/* Judges a packet whose destination is no pod that eBPF reaches. Continues if
 * netfilter translates it, else keeps the exit. */
static __always_inline struct exit judge_elsewhere(struct __sk_buff *skb, struct walk *walk,
						   struct flow *flow)
{
	if (read_transport(&walk->cur, &walk->pkt, &flow->l4) != READ_FLOW ||
	    !can_ask_conntrack(&flow->l4) || flow->l4.is_error || flow->l4.is_opening)
		return flow->exit;
	fill_key(&flow->answer, &walk->pkt, &flow->l4, flow->place);
	const enum tracking tracking =
		ask_conntrack(skb, &walk->pkt, &flow->l4, &flow->answer.translation);
	if (tracking >= TRANSLATED) {
		decide_translated(walk, flow, tracking);
		return CONTINUE;
	}
	/* What conntrack does not know could be anything: then the cache
	 * would be full of it. */
	const __u64 usual =
		flow->place == FROM_OUTSIDE ? KUBECNI_PASS_NO_ENDPOINT : KUBECNI_PASS_NO_NODE;
	if (tracking != UNTRACKED && flow->exit.reason == usual)
		keep_answer(&walk->pkt, flow, KUBECNI_FLOW_ELSEWHERE);
	return flow->exit;
}

/* Judges the flow of a packet to a pod. Continues with an owner in the answer
 * if netfilter translates it, else without one. */
static __always_inline struct exit judge_flow(struct __sk_buff *skb, struct walk *walk,
					      struct flow *flow)
{
	struct kubecni_flow_state *answer = &flow->answer;
	switch (read_transport(&walk->cur, &walk->pkt, &flow->l4)) {
	case READ_FLOW:
		break;
	case READ_SHORT:
		return EXIT(DROP_SHORT_PACKET);
	case READ_ND:
		return EXIT(PASS_NEIGHBOUR_DISCOVERY);
	default:
		return EXIT(PASS_PROTOCOL);
	}
	fill_key(answer, &walk->pkt, &flow->l4, flow->place);
	if (!can_ask_conntrack(&flow->l4))
		return flow->is_noted ? EXIT(PASS_KERNEL_FLOW) : CONTINUE;
	const enum tracking tracking = ask_conntrack(
		skb, &walk->pkt, &flow->l4, flow->l4.is_error ? NULL : &answer->translation);
	if (tracking >= TRANSLATED && !flow->l4.is_error) {
		decide_translated(walk, flow, tracking);
		return CONTINUE;
	}
	flow->is_settled = tracking == TRACKED;
	if (tracking <= TRACKED && !is_netfilters(skb, &walk->pkt, &flow->l4))
		return CONTINUE;
	if (!flow->l4.is_error)
		keep_answer(&walk->pkt, flow, KUBECNI_FLOW_KERNEL);
	return EXIT(PASS_KERNEL_FLOW);
}

/* eBPF carries the flow as it is. Where conntrack cannot be asked about any, the
 * table is for what the kernel path has carried. */
static __always_inline void keep_carrying(const struct walk *walk, struct flow *flow)
{
	if (HAS_CONNTRACK && !flow->l4.is_error && !flow->is_outer)
		keep_answer(&walk->pkt, flow, KUBECNI_FLOW_EBPF);
	else
		flow->answer.owner = KUBECNI_FLOW_EBPF;
}

/* Decides who carries the flow between the ends that were found. */
static __always_inline struct exit decide(struct __sk_buff *skb, const int family,
					  struct flow *flow)
{
	struct walk walk = {.pkt = {.family = family}};
	if (!parse_headers(skb, &walk))
		return EXIT(DROP_SHORT_PACKET);
	if (flow->is_elsewhere)
		return judge_elsewhere(skb, &walk, flow);
	const struct exit exit = judge_flow(skb, &walk, flow);
	if (!is_exit(exit) && !is_decided(flow))
		keep_carrying(&walk, flow);
	return exit;
}

GLOBAL_STAGE(__weak, decide, decide)

/* Judges a packet by the answer. */
static __always_inline struct exit judge_answer(struct __sk_buff *skb, const struct packet *pkt,
						const struct flow *flow)
{
	const struct kubecni_flow_state *answer = &flow->answer;
	switch (answer->owner) {
	case KUBECNI_FLOW_EBPF:
		break;
	case KUBECNI_FLOW_POLICED:
		if (flow->l4.is_opening || flow->l4.is_closing)
			return EXIT(PASS_POLICED);
		break;
	case KUBECNI_FLOW_HANDSHAKE:
		return EXIT(PASS_HANDSHAKE);
	case KUBECNI_FLOW_SPECIAL:
		return EXIT(PASS_SPECIAL_TRANSLATION);
	case KUBECNI_FLOW_NO_WAY:
		return EXIT(PASS_NO_WAY);
	default:
		return EXIT(PASS_KERNEL_FLOW);
	}
	if (answer->is_translated && (flow->l4.is_opening || flow->l4.is_closing))
		return EXIT(PASS_HANDSHAKE);
	if (answer->is_routed && hops_of(pkt) <= 1)
		return EXIT(PASS_TTL_EXPIRED);
	if (!answer->is_to_pod && wire_ip_len(skb, pkt->family, &flow->l4) > answer->node.mtu)
		return EXIT(PASS_OVER_MTU);
	if (answer->is_to_pod && exceeds_limited_pod(skb, &answer->pod))
		return EXIT(PASS_OVER_MTU);
	return CONTINUE;
}

/* Changes the packet as the answer says, if that allows eBPF to carry it. */
static __always_inline struct exit change(struct __sk_buff *skb, const int family,
					  struct flow *flow)
{
	struct walk walk = {.pkt = {.family = family}};
	if (!parse_headers(skb, &walk))
		return EXIT(DROP_SHORT_PACKET);
	const struct exit exit = judge_answer(skb, &walk.pkt, flow);
	if (is_exit(exit))
		return exit;
	void *ports = pull(&walk.cur, 4);
	if (!ports)
		return EXIT(DROP_SHORT_PACKET);
	flow->tos = tos_of(&walk.pkt);
	change_headers(skb, &walk.pkt, &flow->answer);
	if (flow->answer.is_translated)
		translate(skb, &walk.pkt, ports, &flow->l4, &flow->answer.translation);
	return CONTINUE;
}

GLOBAL_STAGE(__weak, change, change)

/* A global function, like the stages. */
__weak __noinline int send_on(struct __sk_buff *skb, struct flow *flow)
{
	if (flow)
		send(skb, &flow->answer, flow->tos);
	return 0;
}

/* A global function, like the stages. */
__weak __noinline int find_outer(struct __sk_buff *skb, struct flow *flow)
{
	if (flow && is_ebpfs(&flow->answer) && !flow->answer.is_to_pod &&
	    flow->answer.node.kind == KUBECNI_NODE_VXLAN)
		find_outer_way(skb, &flow->answer.node, &flow->answer.outer);
	return 0;
}

/* Carries a packet whose flow is known. */
static __always_inline struct exit carry_known(struct __sk_buff *skb, const int family,
					       struct flow *flow, const struct carry_exits *exits)
{
	const struct kubecni_flow_state *answer = &flow->answer;
	if (answer->owner == KUBECNI_FLOW_ELSEWHERE)
		return exits->elsewhere;
	/* The ports may belong to another flow now. */
	if ((answer->is_translated || answer->owner == KUBECNI_FLOW_POLICED) && flow->l4.is_opening)
		forget(answer, family);
	RUN_STAGE(change, skb, family, flow);
	if (is_exit(flow->exit))
		return flow->exit;
	send_on(skb, flow);
	if (answer->is_translated)
		return answer->is_to_pod ? REDIRECTED(FAST_TRANSLATED_TO_POD)
					 : REDIRECTED(FAST_TRANSLATED_TO_HOST);
	if (answer->is_to_pod)
		return exits->to_pod;
	return answer->node.kind == KUBECNI_NODE_VXLAN ? exits->to_tunnel : exits->to_node;
}

/* Netfilter judges the flows of policed pods first. */
static __always_inline void judge_policed(struct flow *flow)
{
	if (!flow->is_policed || flow->answer.owner != KUBECNI_FLOW_EBPF)
		return;
	if (flow->is_passed && flow->is_settled) {
		flow->answer.owner = KUBECNI_FLOW_POLICED;
		return;
	}
	flow->is_kept = false;
	flow->exit = EXIT(PASS_POLICED);
}

/* A pacer works where fq of the device keeps the departure times. Elsewhere, as
 * within the node, the kernel's disciplines limit what a pod sends. */
static __always_inline void judge_paced(struct flow *flow)
{
	if (THIS_PROGRAM != KUBECNI_BY_FROM_POD || is_exit(flow->exit) ||
	    !is_ebpfs(&flow->answer) || is_paceable(flow))
		return;
	flow->exit = EXIT(PASS_SHAPED);
	if (flow->answer.is_translated)
		flow->answer.owner = KUBECNI_FLOW_NO_WAY;
	else
		flow->is_kept = false;
}

/* Decides about an unknown flow, whose ends were found, and carries its
 * packet. */
static __always_inline struct exit decide_and_carry(struct __sk_buff *skb, const int family,
						    struct flow *flow,
						    const struct carry_exits *exits)
{
	if (is_exit(flow->exit) && !flow->is_elsewhere)
		return flow->exit;
	if (!is_decided(flow)) /* by the flow of a quoted packet */
		RUN_STAGE(decide, skb, family, flow);
	if (flow->needs_way)
		RUN_STAGE(find_translated_way, skb, family, flow);
	judge_policed(flow);
	find_outer(skb, flow);
	judge_paced(flow);
	if (flow->is_kept)
		remember(&flow->answer, family, flow->generation);
	return is_exit(flow->exit) ? flow->exit : carry_known(skb, family, flow, exits);
}

#endif /* KUBECNI_BPF_CARRY_H */
