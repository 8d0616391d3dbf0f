/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checks what a pod says above IP to hosts that would believe it: ICMP
 * errors, group management, DHCP and neighbour discovery, also behind
 * options, fragments and extension headers. The pod may send any other data. */
#ifndef KUBECNI_BPF_CONTROL_H
#define KUBECNI_BPF_CONTROL_H

#include "late_checksum.h"
#include "nd.h"
#include "sender.h"
#include "transport.h"

#define IGMP_QUERY 0x11
#define IGMP_ROUTER_ADVERTISEMENT 0x30 /* RFC 4286 */
#define IGMP_ROUTER_TERMINATION 0x32
#define MLD_QUERY 130
#define MLD_REPORT 131
#define MLD_DONE 132
#define MLD2_REPORT 143
#define MLD_ROUTER_ADVERTISEMENT 151 /* RFC 4286 */
#define MLD_ROUTER_TERMINATION 153
#define ICMPV6_FIRST_INFORMATIONAL 128

/* The header of an ICMP message, before the quote; no shorter than UDP's. */
#define ICMP_HEADER_LEN 8
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define MAX_EXTENSION_HEADERS 8

struct extension_header {
	__u8 next_header;
	__u8 len;
	__be16 fragment; /* in a Fragment header: offset and "more fragments" */
	__u8 rest[4];
};

/* The upper protocol, after the IPv6 header and its extension headers. */
struct upper {
	__u8 protocol;
	bool is_fragmented;	/* also for an atomic fragment */
	bool is_without_source; /* only group reports may be, RFC 3590 */
};

/* How far the extension headers lead. */
enum chain {
	CHAIN_COMPLETE, /* to the upper protocol */
	CHAIN_OF_DATA,	/* to a later fragment or encrypted data: nothing to judge */
	CHAIN_HIDDEN,	/* the end was not found */
};

/* Whether the quote of an ICMP error, which comes next, is a packet to the
 * pod. A pod has no reason to send errors about others (RFC 5927). */
static __always_inline bool quotes_own_packet(const struct __sk_buff *skb, struct cursor *cur,
					      const struct kubecni_pod_iface *iface, int family)
{
	struct packet quoted = {.family = family};
	if (!pull_ip(cur, &quoted) || !is_sound(&quoted))
		return false;
	if (family == AF_INET6)
		return is_own_addr6(skb, dst_of(&quoted), iface);
	return is_own_addr(skb, iface, dst_of(&quoted), AF_INET);
}

static __always_inline bool is_icmpv4_error(__u8 type)
{
	return is_error_type(type, AF_INET) || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT;
}

static __always_inline struct exit judge_icmpv4(const struct __sk_buff *skb, struct cursor *cur,
						const struct kubecni_pod_iface *iface,
						bool is_fragmented)
{
	__u8 *icmp = pull(cur, ICMP_HEADER_LEN);
	if (!icmp)
		return EXIT(DROP_SHORT_PACKET);
	if (!is_icmpv4_error(*icmp))
		return CONTINUE;
	/* No error is long enough to need fragments. */
	return !is_fragmented && quotes_own_packet(skb, cur, iface, AF_INET)
		       ? CONTINUE
		       : EXIT(DROP_FOREIGN_ERROR);
}

/* Only routers send these: queries can make the bridge and its pods forget
 * their groups, and announcements bring all groups to the pod. */
static __always_inline struct exit judge_igmp(struct cursor *cur)
{
	const __u8 *type = pull(cur, 1);
	if (!type)
		return EXIT(DROP_SHORT_PACKET);
	return *type == IGMP_QUERY || *type == IGMP_ROUTER_ADVERTISEMENT ||
			       *type == IGMP_ROUTER_TERMINATION
		       ? EXIT(DROP_MULTICAST_ROUTER)
		       : CONTINUE;
}

/* Only DHCP servers and relays send to a DHCP client. */
static __always_inline struct exit judge_udp(struct cursor *cur, __u16 client_port)
{
	const struct udphdr *udp = pull(cur, sizeof(*udp));
	if (!udp)
		return EXIT(DROP_SHORT_PACKET);
	return udp->dest == bpf_htons(client_port) ? EXIT(DROP_DHCP_SERVER) : CONTINUE;
}

/* Judges the protocol above IPv4, unless the sender is not known. */
static __always_inline struct exit judge_upper4(struct __sk_buff *skb)
{
	struct kubecni_pod_iface iface;
	if (!read_sender(skb, AF_INET, &iface))
		return CONTINUE;
	struct cursor cur = cursor_at_start(skb, JUDGED_BYTES);
	struct iphdr *ip = pull_eth(&cur) ? pull(&cur, sizeof(*ip)) : NULL;
	if (!ip)
		return EXIT(DROP_SHORT_PACKET);
	/* The first fragment decides. */
	if (is_later_fragment(ip))
		return CONTINUE;
	if (ip->ihl > 5 && !pull(&cur, (ip->ihl - 5u) * 4))
		return EXIT(DROP_SHORT_PACKET);
	switch (ip->protocol) {
	case IPPROTO_ICMP:
		return judge_icmpv4(skb, &cur, &iface, is_fragment(ip));
	case IPPROTO_IGMP:
		return judge_igmp(&cur);
	case IPPROTO_PIM:
		return EXIT(DROP_MULTICAST_ROUTER);
	case IPPROTO_UDP:
		return judge_udp(&cur, DHCP_CLIENT_PORT);
	}
	return CONTINUE;
}

/* Steps over one extension header. CHAIN_COMPLETE: no end of the chain so
 * far. `left`: bytes left in the packet. */
static __always_inline enum chain step_over(struct cursor *cur, struct upper *upper, __u32 *left,
					    bool is_jumbo)
{
	if (upper->protocol == IPPROTO_ESP)
		return CHAIN_OF_DATA;
	struct extension_header *header = pull(cur, sizeof(*header));
	if (!header)
		return CHAIN_HIDDEN;
	__u32 len = (header->len + 1u) * 8;
	if (upper->protocol == IPPROTO_AH) /* RFC 4302: in units of four bytes */
		len = (header->len + 2u) * 4;
	if (upper->protocol == IPPROTO_FRAGMENT) {
		if (upper->is_fragmented || is_jumbo)
			return CHAIN_HIDDEN;
		if (header->fragment & bpf_htons(IPV6_FRAGMENT_OFFSET))
			return CHAIN_OF_DATA;
		upper->is_fragmented = true;
		len = sizeof(*header);
	}
	if (len > *left || (len > sizeof(*header) && !pull(cur, len - sizeof(*header))))
		return CHAIN_HIDDEN;
	*left -= len;
	upper->protocol = header->next_header;
	return CHAIN_COMPLETE;
}

/* Steps over the extension headers, also the Fragment header: netfilter on
 * this node removes it before the receiver could refuse what it carries (RFC
 * 6980). */
static __always_inline enum chain
pull_extension_headers(struct cursor *cur, const struct ipv6hdr *ip, struct upper *upper)
{
	/* A header behind the packet's end is in the next fragment. A
	 * jumbogram is longer than the bytes that are checked. */
	const bool is_jumbo = !ip->payload_len && ip->nexthdr == IPPROTO_HOPOPTS;
	__u32 left = is_jumbo ? JUDGED_BYTES : bpf_ntohs(ip->payload_len);

	for (int i = 0; i < MAX_EXTENSION_HEADERS; ++i) {
		if (!is_extension_header(upper->protocol))
			break;
		const enum chain chain = step_over(cur, upper, &left, is_jumbo);
		if (chain != CHAIN_COMPLETE)
			return chain;
	}
	/* RFC 7112: all headers are in the first fragment. */
	if (is_extension_header(upper->protocol) ||
	    (upper->is_fragmented && left < ICMP_HEADER_LEN))
		return CHAIN_HIDDEN;
	return CHAIN_COMPLETE;
}

static __always_inline bool is_group_report(__u8 type)
{
	return type == MLD_REPORT || type == MLD_DONE || type == MLD2_REPORT;
}

static __always_inline bool is_multicast_routers(__u8 type)
{
	return type == MLD_QUERY || type == MLD_ROUTER_ADVERTISEMENT ||
	       type == MLD_ROUTER_TERMINATION;
}

static __always_inline struct exit judge_icmpv6(const struct __sk_buff *skb, struct cursor *cur,
						const struct kubecni_pod_iface *iface,
						const struct upper *upper)
{
	__u8 *icmp = pull(cur, ICMP_HEADER_LEN);
	if (!icmp)
		return EXIT(DROP_SHORT_PACKET);
	const __u8 type = *icmp;
	if (is_group_report(type))
		return upper->is_fragmented ? EXIT(DROP_HIDDEN_HEADER) : CONTINUE;
	if (upper->is_without_source)
		return EXIT(DROP_SPOOFED_IP);
	/* Honest senders put ND right after the IPv6 header. Receivers
	 * accept it behind extension headers, too (RFC 7113). */
	if (is_nd_type(type))
		return is_router_type(type) ? EXIT(DROP_ROUTER_ND) : EXIT(DROP_SPOOFED_ND);
	if (is_multicast_routers(type))
		return EXIT(DROP_MULTICAST_ROUTER);
	if (type >= ICMPV6_FIRST_INFORMATIONAL)
		return CONTINUE;
	return !upper->is_fragmented && quotes_own_packet(skb, cur, iface, AF_INET6)
		       ? CONTINUE
		       : EXIT(DROP_FOREIGN_ERROR);
}

/* Judges the protocol above IPv6. */
static __always_inline struct exit judge_upper6(struct __sk_buff *skb)
{
	struct kubecni_pod_iface iface;
	if (!read_sender(skb, AF_INET6, &iface))
		return CONTINUE;
	struct packet pkt = {.family = AF_INET6};
	struct cursor cur = cursor_at_start(skb, JUDGED_BYTES);
	if (!pull_eth(&cur) || !pull_ip(&cur, &pkt))
		return EXIT(DROP_SHORT_PACKET);
	if (is_nd(&pkt, &cur))
		return judge_nd(skb, &iface);

	struct upper upper = {.protocol = pkt.v6->nexthdr,
			      .is_without_source = is_unspecified(&pkt.v6->saddr, AF_INET6)};
	const enum chain chain = pull_extension_headers(&cur, pkt.v6, &upper);
	if (chain == CHAIN_HIDDEN)
		return EXIT(DROP_HIDDEN_HEADER);
	const __u32 late = late_checksum_at(skb);
	/* Fragments and encrypted data have none, nor does ICMPv6. */
	if (late != NO_LATE_CHECKSUM &&
	    (chain == CHAIN_OF_DATA || upper.protocol == IPPROTO_ICMPV6 ||
	     late < ETH_HLEN + (__u32)(cur.next - (void *)pkt.v6) + least_checksum(upper.protocol)))
		return EXIT(DROP_MISPLACED_CHECKSUM);
	if (chain == CHAIN_COMPLETE && upper.protocol == IPPROTO_ICMPV6)
		return judge_icmpv6(skb, &cur, &iface, &upper);
	if (upper.is_without_source)
		return EXIT(DROP_SPOOFED_IP);
	if (chain == CHAIN_OF_DATA)
		return CONTINUE;
	return upper.protocol == IPPROTO_UDP ? judge_udp(&cur, DHCPV6_CLIENT_PORT) : CONTINUE;
}

/* Global functions: the verifier walks them once, not once per path to them.
 * Otherwise from_pod would take three times as long to load. Such a function
 * returns a number, and the verifier assumes that its pointers may be NULL. */
__noinline int judge_control4(struct __sk_buff *skb, struct exit *exit)
{
	if (exit)
		*exit = judge_upper4(skb);
	return 0;
}

__noinline int judge_control6(struct __sk_buff *skb, struct exit *exit)
{
	if (exit)
		*exit = judge_upper6(skb);
	return 0;
}

/* Whether judge_control4() or 6() has to look at the packet. Most packets
 * are TCP and UDP, so they get as few checks as possible. */
static __always_inline bool is_control(const struct packet *pkt, const struct cursor *cur)
{
	const __u8 protocol = protocol_of(pkt);
	if (protocol == IPPROTO_TCP)
		return false;
	if (protocol != IPPROTO_UDP)
		return true;
	if (pkt->family == AF_INET && pkt->v4->ihl != 5)
		return true;
	struct cursor peek = *cur;
	const struct udphdr *udp = pull(&peek, sizeof(*udp));
	return udp && udp->dest == bpf_htons(pkt->family == AF_INET6 ? DHCPV6_CLIENT_PORT
								     : DHCP_CLIENT_PORT);
}

#endif /* KUBECNI_BPF_CONTROL_H */
