/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The headers above IP. */
#ifndef KUBECNI_BPF_TRANSPORT_H
#define KUBECNI_BPF_TRANSPORT_H

#include <linux/udp.h>

#include "packet.h"

/* ICMP, RFC 792 and 4443. The kernel's headers for it include libc's, which BPF
 * C cannot have. */
#define ICMP_ECHO_REPLY 0
#define ICMP_DEST_UNREACHABLE 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_REDIRECT 5
#define ICMP_ECHO_REQUEST 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
#define ICMPV6_DEST_UNREACHABLE 1 /* to 4: time exceeded, parameter problem */
#define ICMPV6_PARAMETER_PROBLEM 4
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

/* Neighbour discovery, RFC 4861: the types of its messages. */
#define ND_ROUTER_SOLICITATION 133
#define ND_ROUTER_ADVERTISEMENT 134
#define ND_NEIGHBOUR_SOLICITATION 135
#define ND_NEIGHBOUR_ADVERTISEMENT 136
#define ND_REDIRECT 137

/* The ports of DHCP, RFC 2131 and RFC 8415. */
#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define DHCPV6_CLIENT_PORT 546

struct icmp_echo {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__u8 identifier[2];
	__be16 sequence;
};

/* What `gso_size` says if the packet's fragments are the segments, as of SCTP. */
#define GSO_BY_FRAGMENTS 0xffff

/* The fields of a transport header that the dataplane uses. The ports are
 * the first four bytes of TCP, UDP and SCTP; type and identifier are in the
 * first eight of an ICMP echo. An ICMP error belongs to the flow of the packet
 * that it quotes, which its receiver had sent. */
struct transport {
	__u8 src_port[2];
	__u8 dst_port[2];
	__u8 protocol; /* IPPROTO_*, of the flow */
	bool is_error;
	bool is_first;	  /* TCP: SYN without ACK */
	bool is_opening;  /* TCP: SYN, also with ACK */
	bool is_closing;  /* TCP: FIN or RST */
	__u32 header_len; /* bytes */
};

/* What read_transport() found. */
enum reading {
	READ_FLOW,  /* a flow that eBPF carries: `l4` is filled */
	READ_SHORT, /* the packet ends inside it */
	READ_ND,    /* neighbour discovery */
	READ_OTHER,
};

static __always_inline bool is_nd_type(__u8 type)
{
	return type >= ND_ROUTER_SOLICITATION && type <= ND_REDIRECT;
}

/* Whether neighbour discovery comes next. */
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

static __always_inline bool is_error_type(__u8 type, int family)
{
	if (family == AF_INET6)
		return type >= ICMPV6_DEST_UNREACHABLE && type <= ICMPV6_PARAMETER_PROBLEM;
	return type == ICMP_DEST_UNREACHABLE || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETER_PROBLEM;
}

/* Reads the ports of a quoted packet, which come next. False: it is of no flow
 * that eBPF carries, or the quote ends before. */
static __always_inline bool read_quoted_ports(struct cursor *cur, const struct packet *quoted,
					      __u8 *src_port, __u8 *dst_port)
{
	const __u8 protocol = protocol_of(quoted);
	if (is_icmp(quoted)) {
		const struct icmp_echo *echo = pull(cur, sizeof(*echo));
		if (!echo || !is_echo_type(echo->type, quoted->family))
			return false;
		__builtin_memcpy(src_port, echo->identifier, 2);
		__builtin_memcpy(dst_port, echo->identifier, 2);
		return true;
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP)
		return false;
	const __u8 *ports = pull(cur, 4);
	if (!ports)
		return false;
	__builtin_memcpy(src_port, ports, 2);
	__builtin_memcpy(dst_port, ports + 2, 2);
	return true;
}

/* Reads the quote of an ICMP error, which comes next: a packet that the
 * error's receiver has sent. `l4` gets the ports of what answers that packet.
 * False: it is no such packet of a flow that eBPF carries. */
static __always_inline bool read_quote(struct cursor *cur, const struct packet *pkt,
				       struct packet *quoted, struct transport *l4)
{
	if (!pull_ip(cur, quoted) || !is_sound(quoted) || !is_plain(quoted))
		return false;
	if (!same_addr(src_of(quoted), dst_of(pkt), pkt->family))
		return false;
	if (!read_quoted_ports(cur, quoted, l4->dst_port, l4->src_port))
		return false;
	l4->protocol = protocol_of(quoted);
	return true;
}

/* Reads the quote of an ICMP error, which comes next. The error takes the
 * path of the flow that it is about: netfilter would call it INVALID if it
 * had not seen the flow, and has to translate it if it translates the flow.
 * This holds for errors between the two ends of the flow. errors.h has those of
 * routers; the kernel gets all others. */
static __always_inline enum reading read_error(struct cursor *cur, const struct packet *pkt,
					       struct transport *l4)
{
	struct packet quoted = {.family = pkt->family};
	if (!read_quote(cur, pkt, &quoted, l4) ||
	    !same_addr(dst_of(&quoted), src_of(pkt), pkt->family))
		return READ_OTHER;
	l4->is_error = true;
	return READ_FLOW;
}

static __always_inline enum reading read_icmp(struct cursor *cur, const struct packet *pkt,
					      struct transport *l4)
{
	struct icmp_echo *icmp = pull(cur, sizeof(*icmp));
	if (!icmp)
		return READ_SHORT;
	l4->header_len = sizeof(*icmp);
	if (pkt->family == AF_INET6 && is_nd_type(icmp->type))
		return READ_ND;
	if (is_error_type(icmp->type, pkt->family))
		return read_error(cur, pkt, l4);
	if (!is_echo_type(icmp->type, pkt->family))
		return READ_OTHER;
	__builtin_memcpy(l4->src_port, icmp->identifier, 2);
	__builtin_memcpy(l4->dst_port, icmp->identifier, 2);
	return READ_FLOW;
}

/* Reads the transport header, which comes next. */
static __always_inline enum reading read_transport(struct cursor *cur, const struct packet *pkt,
						   struct transport *l4)
{
	l4->protocol = protocol_of(pkt);
	l4->is_error = l4->is_first = l4->is_opening = l4->is_closing = false;
	if (protocol_of(pkt) == IPPROTO_TCP) {
		struct tcphdr *tcp = pull(cur, sizeof(*tcp));
		if (!tcp)
			return READ_SHORT;
		__builtin_memcpy(l4->src_port, &tcp->source, 2);
		__builtin_memcpy(l4->dst_port, &tcp->dest, 2);
		l4->is_first = tcp->syn && !tcp->ack;
		l4->is_opening = tcp->syn;
		l4->is_closing = tcp->fin || tcp->rst;
		l4->header_len = tcp->doff * 4;
		return READ_FLOW;
	}
	/* SCTP has its ports at the same place. Its checksum is without addresses. */
	if (protocol_of(pkt) == IPPROTO_UDP || protocol_of(pkt) == IPPROTO_SCTP) {
		struct udphdr *udp = pull(cur, sizeof(*udp));
		if (!udp)
			return READ_SHORT;
		__builtin_memcpy(l4->src_port, &udp->source, 2);
		__builtin_memcpy(l4->dst_port, &udp->dest, 2);
		l4->header_len = sizeof(*udp);
		return READ_FLOW;
	}
	return is_icmp(pkt) ? read_icmp(cur, pkt, l4) : READ_OTHER;
}

/* The headers of a packet that were read, and the rest. */
struct walk {
	struct packet pkt;
	struct cursor cur;
};

/* Reads the headers below the transport header. In a global function, which
 * gets no pointers into the packet, they are read again. */
static __always_inline bool parse_headers(struct __sk_buff *skb, struct walk *walk)
{
	walk->cur = cursor_at_headers(skb);
	walk->pkt.eth = pull_eth(&walk->cur);
	return walk->pkt.eth && pull_ip(&walk->cur, &walk->pkt);
}

/* Length of the IP packet on the wire. For a GSO packet: of each of its
 * segments. 0: not known. Segments of SCTP are as long as its sender found that
 * the path allows. */
static __always_inline __u32 wire_ip_len(const struct __sk_buff *skb, int family,
					 const struct transport *l4)
{
	if (skb->gso_size == GSO_BY_FRAGMENTS)
		return 0;
	if (skb->gso_size)
		return skb->gso_size + ip_header_len(family) + l4->header_len;
	return skb->len - ETH_HLEN;
}

#endif /* KUBECNI_BPF_TRANSPORT_H */
