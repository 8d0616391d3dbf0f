/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A pod's neighbour discovery, RFC 4861. It always goes by the bridge, but a
 * pod may only announce its own addresses, and never act as a router: hosts
 * that believe it would send their traffic to the pod (CVE-2020-10749). */
#ifndef KUBECNI_BPF_ND_H
#define KUBECNI_BPF_ND_H

#include "exits.h"
#include "sender.h"
#include "transport.h"

#define ND_SOURCE_MAC 1
#define ND_TARGET_MAC 2
/* More options than any sender needs: the MAC, a nonce, and SEND's four. */
#define ND_MAX_OPTIONS 8

struct nd_message {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__u8 flags[4];
};

struct nd_option {
	__u8 type;
	__u8 len; /* in units of eight bytes, including these two */
	__u8 mac[6];
};

static __always_inline bool is_router_type(__u8 type)
{
	return type == ND_ROUTER_ADVERTISEMENT || type == ND_REDIRECT;
}

/* Whether each link-layer address among the options is the pod's own.
 * Options that cannot be read to the end count as foreign. */
static __always_inline bool are_options_own(struct cursor *cur, const __u8 *mac)
{
	for (int i = 0; i < ND_MAX_OPTIONS; ++i) {
		struct nd_option *option = pull(cur, sizeof(*option));
		if (!option)
			return cur->next == cur->end;
		if ((option->type == ND_SOURCE_MAC || option->type == ND_TARGET_MAC) &&
		    (option->len != 1 || !same_mac(option->mac, mac)))
			return false;
		if (!option->len)
			return false;
		if (option->len > 1 && !pull(cur, (option->len - 1u) * 8))
			return false;
	}
	return cur->next == cur->end;
}

/* Whether a message may name the address as the sender's. */
static __always_inline bool is_own_addr6(const struct __sk_buff *skb, const void *addr,
					 const struct kubecni_pod_iface *iface)
{
	return is_link_local_of(addr, iface->pod_mac) || is_own_addr(skb, iface, addr, AF_INET6);
}

/* The exit of a message that comes right after the IPv6 header. */
static __always_inline struct exit judge_nd(struct __sk_buff *skb,
					    const struct kubecni_pod_iface *iface)
{
	/* The rest is not checked, and no message is that long. */
	if (skb->len > JUDGED_BYTES)
		return EXIT(DROP_SPOOFED_ND);
	struct cursor cur = cursor_at_start(skb, JUDGED_BYTES);
	struct ethhdr *eth = pull_eth(&cur);
	struct ipv6hdr *ip = eth ? pull(&cur, sizeof(*ip)) : NULL;
	struct nd_message *nd = ip ? pull(&cur, sizeof(*nd)) : NULL;
	if (!nd)
		return EXIT(DROP_SHORT_PACKET);
	if (is_router_type(nd->type))
		return EXIT(DROP_ROUTER_ND);
	if (!same_mac(eth->h_source, iface->pod_mac))
		return EXIT(DROP_SPOOFED_ND);
	/* Duplicate address detection (RFC 4862) sends from the unspecified
	 * address. */
	if (!is_unspecified(&ip->saddr, AF_INET6) && !is_own_addr6(skb, &ip->saddr, iface))
		return EXIT(DROP_SPOOFED_ND);
	if (nd->type != ND_ROUTER_SOLICITATION) {
		struct in6_addr *target = pull(&cur, sizeof(*target));
		if (!target)
			return EXIT(DROP_SHORT_PACKET);
		if (nd->type == ND_NEIGHBOUR_ADVERTISEMENT && !is_own_addr6(skb, target, iface))
			return EXIT(DROP_SPOOFED_ND);
	}
	return are_options_own(&cur, iface->pod_mac) ? EXIT(PASS_NEIGHBOUR_DISCOVERY)
						     : EXIT(DROP_SPOOFED_ND);
}

#endif /* KUBECNI_BPF_ND_H */
