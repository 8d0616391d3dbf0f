/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The headers above IP. */
#ifndef KUBECNI_BPF_TRANSPORT_H
#define KUBECNI_BPF_TRANSPORT_H

#include <linux/udp.h>

#include "packet.h"

/* ICMP echo, RFC 792 and 4443. The kernel's headers for it include libc's,
 * which BPF C cannot have. */
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO_REQUEST 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

/* Neighbour discovery, RFC 4861: the types of its messages. */
#define ND_ROUTER_SOLICITATION 133
#define ND_ROUTER_ADVERTISEMENT 134
#define ND_NEIGHBOUR_SOLICITATION 135
#define ND_NEIGHBOUR_ADVERTISEMENT 136
#define ND_REDIRECT 137

struct icmp_echo {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__u8 identifier[2];
	__be16 sequence;
};

/* What of a transport header the dataplane looks at: the ports lie in the
 * first four bytes of TCP and UDP, type and identifier in the first eight of
 * an ICMP echo. */
struct transport {
	__u8 src_port[2];
	__u8 dst_port[2];
	__u32 header_len; /* bytes */
};

static __always_inline bool is_nd_type(__u8 type)
{
	return type >= ND_ROUTER_SOLICITATION && type <= ND_REDIRECT;
}

/* Whether neighbour discovery is what comes next. */
static __always_inline bool is_nd(const struct packet *pkt, const struct cursor *cur)
{
	struct cursor peek = *cur;
	if (pkt->family != AF_INET6 || pkt->v6->nexthdr != IPPROTO_ICMPV6)
		return false;
	const __u8 *type = pull(&peek, 1);
	return type && is_nd_type(*type);
}

static __always_inline bool is_icmp(const struct packet *pkt)
{
	return protocol_of(pkt) == (pkt->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static __always_inline bool is_echo_type(__u8 type, int family)
{
	if (family == AF_INET6)
		return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
	return type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY;
}

static __always_inline int read_echo(struct cursor *cur, int family, struct transport *l4)
{
	struct icmp_echo *icmp = pull(cur, sizeof(*icmp));
	if (!icmp)
		return KUBECNI_DROP_SHORT_PACKET;
	if (family == AF_INET6 && is_nd_type(icmp->type))
		return KUBECNI_PASS_NEIGHBOUR_DISCOVERY;
	/* An error must meet the kernel: netfilter may have to translate it. */
	if (!is_echo_type(icmp->type, family))
		return KUBECNI_PASS_PROTOCOL;
	__builtin_memcpy(l4->src_port, icmp->identifier, 2);
	__builtin_memcpy(l4->dst_port, icmp->identifier, 2);
	l4->header_len = sizeof(*icmp);
	return -1;
}

/* Reads the transport header, which comes next. Returns the exit reason that
 * applies, or -1 when `l4` is filled. */
static __always_inline int read_transport(struct cursor *cur, const struct packet *pkt,
					  struct transport *l4)
{
	if (protocol_of(pkt) == IPPROTO_TCP) {
		struct tcphdr *tcp = pull(cur, sizeof(*tcp));
		if (!tcp)
			return KUBECNI_DROP_SHORT_PACKET;
		__builtin_memcpy(l4->src_port, &tcp->source, 2);
		__builtin_memcpy(l4->dst_port, &tcp->dest, 2);
		l4->header_len = tcp->doff * 4;
		return -1;
	}
	if (protocol_of(pkt) == IPPROTO_UDP) {
		struct udphdr *udp = pull(cur, sizeof(*udp));
		if (!udp)
			return KUBECNI_DROP_SHORT_PACKET;
		__builtin_memcpy(l4->src_port, &udp->source, 2);
		__builtin_memcpy(l4->dst_port, &udp->dest, 2);
		l4->header_len = sizeof(*udp);
		return -1;
	}
	return is_icmp(pkt) ? read_echo(cur, pkt->family, l4) : KUBECNI_PASS_PROTOCOL;
}

/* Length of the IP packet that will be on the wire: for a GSO packet, of each
 * segment that it is cut into. */
static __always_inline __u32 wire_ip_len(const struct __sk_buff *skb, int family,
					 const struct transport *l4)
{
	if (skb->gso_size)
		return skb->gso_size + ip_header_len(family) + l4->header_len;
	return skb->len - ETH_HLEN;
}

#endif /* KUBECNI_BPF_TRANSPORT_H */
