/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel programs and userspace have to agree on: keys and values of
 * the pinned maps, and the reasons why a packet left a program. Plain C,
 * included by bpf/ and by C++.
 *
 * Addresses are byte arrays in network order, since bpftool prints a __be32
 * byte-swapped. Widths are fixed, padding is explicit, sizes are asserted. A
 * change of a layout is a new KUBECNI_SCHEMA: the number is part of the path
 * below which the maps are pinned.
 */
#ifndef KUBECNI_ABI_H
#define KUBECNI_ABI_H

#include <linux/types.h>

#include "kubecni/programs.h"

#define KUBECNI_SCHEMA 6

/* The tests build a second schema, to upgrade a node from one to the other. */
#ifdef KUBECNI_OTHER_SCHEMA
#undef KUBECNI_SCHEMA
#define KUBECNI_SCHEMA 9003
#endif

/* Capacities. A full map is not an outage: packets without an entry take the
 * kernel path. */
#define KUBECNI_MAX_NODE_CIDRS 16384
#define KUBECNI_MAX_ENDPOINTS 4096
#define KUBECNI_MAX_TUNNEL_PEERS 16384
#define KUBECNI_MAX_PACING_DEVICES 1024
#define KUBECNI_MAX_FLOWS 131072 /* unless the setting maxFlows says otherwise */
/* Leaves room for future reasons: a newer build cannot grow a pinned map. */
#define KUBECNI_MAX_EXIT_REASONS 64

/* from_pod, from_wire and from_tunnel set this bit of skb->mark on packets that
 * they send to the wire or the tunnel of another node, or to the host end of a pod whose limit
 * they have to pass. to_wire, to_tunnel and to_pod clear it. A packet that they see without the
 * bit came by the kernel path. */
#define KUBECNI_MARK_FAST 0x01000000

/* The policies' nftables table sets this bit of skb->mark on each packet that it lets pass. */
#define KUBECNI_MARK_JUDGED 0x02000000

/* The nftables table inet kube-cni sets this bit of skb->mark on packets of other nodes and their
 * pods, where a strict rp_filter asks for the way back to them. */
#define KUBECNI_MARK_REMOTE 0x04000000

/* from_pod writes this to skb->tc_index of packets that a policed pod sends by the kernel path.
 * Only programs see that field, so it disturbs no rule that looks at the mark. */
#define KUBECNI_TC_INDEX_POLICED 0x6b63
/* The same for packets that eBPF sends to the host end of a pod, with KUBECNI_MARK_FAST. A pod can
 * forge the one, and rules of the node the other. */
#define KUBECNI_TC_INDEX_FAST 0x6b64

/* Keys of `node_cidrs4` and `node_cidrs6`: a PodCIDR of a node. The trie
 * matches `prefixlen` leading bits of what follows, so `addr` must come
 * next. */
struct kubecni_cidr4_key {
	__u32 prefixlen; /* bits, 0..32 */
	__u8 addr[4];
};

struct kubecni_cidr6_key {
	__u32 prefixlen; /* bits, 0..128 */
	__u8 addr[16];
};

enum kubecni_node_kind {
	KUBECNI_NODE_LOCAL = 1,	  /* this node's own PodCIDR */
	KUBECNI_NODE_DIRECT = 2,  /* a node that is reached without a tunnel */
	KUBECNI_NODE_VXLAN = 3,	  /* a node behind the tunnel */
	KUBECNI_NODE_OUTSIDE = 4, /* only in flows: a host outside the cluster, as DIRECT */
};

/* Value of `node_cidrs4` and `node_cidrs6`: how to reach the node that owns the
 * prefix. For LOCAL, only the kind is used. */
struct kubecni_node {
	__u32 kind;	       /* enum kubecni_node_kind */
	__u32 egress_ifindex;  /* DIRECT: the device towards the node; VXLAN: the tunnel device */
	__u32 mtu;	       /* longest IP packet of a pod that fits, bytes */
	__u32 vni;	       /* VXLAN: network identifier */
	__u16 next_hop_family; /* AF_INET or AF_INET6. DIRECT: that of the prefix; VXLAN: any */
	__u8 tunnel_port[2];   /* VXLAN: the UDP port of the tunnel */
	/* DIRECT: the neighbour that gets the packet; VXLAN: the node's end
	 * of the tunnel. An IPv4 address is in the first four bytes. */
	__u8 next_hop[16];
	__u8 tunnel_mac[6];	/* VXLAN: of the node's tunnel device */
	__u8 own_tunnel_mac[6]; /* VXLAN: of this node's tunnel device */
	/* VXLAN: the outer source, an address of this node that the others know;
	 * zero: the kernel chooses. An IPv4 address is in the first four bytes. */
	__u8 own_endpoint[16];
	/* VXLAN: the device, with to_wire, by which programs may send packets with
	 * an outer header of their own; 0: none. */
	__u32 outer_ifindex;
};

/* Where the outer packets of a flow leave this node, if programs make their
 * headers. */
struct kubecni_outer_way {
	__u32 ifindex; /* 0: the tunnel device makes them */
	__u32 next_hop_family;
	__u8 next_hop[16];
};

/* Addresses as keys. */
struct kubecni_addr4 {
	__u8 addr[4];
};

struct kubecni_addr6 {
	__u8 addr[16];
};

/* The network of pods in mode ptp: the ifindex of lo, which is no bridge's. The
 * kernel routes what they send as if it were the node's. */
#define KUBECNI_ROUTED_NETWORK 1

/* Keys of `endpoints4` and `endpoints6`: the address of a pod on this node.
 * Two networks may have the same addresses. A network is a bridge, and its
 * number is the bridge's ifindex; or all pods that are on no bridge, which the
 * node's routes tell apart (KUBECNI_ROUTED_NETWORK). */
struct kubecni_endpoint4_key {
	__u32 network;
	__u8 addr[4];
};

struct kubecni_endpoint6_key {
	__u32 network;
	__u8 addr[16];
};

enum kubecni_endpoint_flags {
	/* May be a redirect target. ADD sets it last, when the pod's
	 * interface is up; DEL clears it first. */
	KUBECNI_ENDPOINT_READY = 1,
	/* A kernel queueing discipline limits the pod's traffic. A redirect
	 * would bypass it, so the kernel carries all of the pod's traffic,
	 * unless there is SHAPED_IN or PACED, too. */
	KUBECNI_ENDPOINT_SHAPED = 2,
	/* A policy selects the pod. eBPF carries only flows of which netfilter
	 * has let a packet pass. */
	KUBECNI_ENDPOINT_POLICED = 4,
	/* What the pod receives is limited by a discipline of its host end. eBPF
	 * sends it to that device instead of into the pod. */
	KUBECNI_ENDPOINT_SHAPED_IN = 8,
	/* What the pod sends is limited, and it has an entry in `pacers`: eBPF
	 * carries it to other nodes by devices that are in `pacing_devices`, and
	 * what comes from other nodes. */
	KUBECNI_ENDPOINT_PACED = 16,
};

/* Value of `endpoints4` and `endpoints6`. One lookup serves delivery to a
 * pod and the check of what it sends. */
struct kubecni_endpoint {
#ifdef KUBECNI_OTHER_SCHEMA
	__u32 others[3]; /* shifts the following members */
#endif
	__u32 host_ifindex; /* the host end of the pod's veth */
	__u32 flags;	    /* enum kubecni_endpoint_flags */
	__u8 pod_mac[6];
	__u8 gateway_mac[6]; /* of the bridge or, in mode ptp, of the host end */
};

/* Value of `pod_ifaces`, keyed by the host ifindex: the pod that owns the
 * interface. A packet counts as spoofed only if this entry proves it. The
 * addresses are the first ones of each family; all zero: none. */
struct kubecni_pod_iface {
	__u8 addr4[4];
	__u8 addr6[16];
	__u8 pod_mac[6];
	__u8 pad[2];
	__u32 network; /* as in the keys of `endpoints4` */
};

/* Value of `node_config`, which has one entry, of key 0. */
struct kubecni_node_config {
	/* The network in which pods of other nodes are: the ifindex of
	 * kube-cnid's bridge, or KUBECNI_ROUTED_NETWORK. 0: none, or not known
	 * yet. */
	__u32 cluster_network;
	/* How long conntrack keeps a silent flow, in seconds; 0: the kernel's
	 * default. Its settings are per network namespace, and no program
	 * can read them. */
	__u32 tcp_timeout_s;		/* nf_conntrack_tcp_timeout_established */
	__u32 udp_timeout_s;		/* nf_conntrack_udp_timeout_stream */
	__u32 udp_unanswered_timeout_s; /* nf_conntrack_udp_timeout */
	/* The UDP port of the tunnel; 0: none. */
	__u8 tunnel_port[2];
	/* Whether packets may go past the kernel's IPsec: it has no policies. */
	__u8 may_bypass_ipsec;
	/* Whether packets of policed pods need KUBECNI_MARK_JUDGED. Set once the
	 * table that sets the bit is in force. */
	__u8 needs_judged_mark;
	/* Whether pods may have an entry in `pacers`. */
	__u8 has_pacers;
	__u8 pad[3];
};

/* Value of `pacers`, keyed by the host ifindex: the limit of what the pod
 * sends. Each of its packets moves the clock on, by the time that the rate gives
 * it. The clocks are the program's own, in CLOCK_MONOTONIC. */
struct kubecni_pacer {
	__u64 bytes_per_s; /* of frames, with their Ethernet header */
	__u64 burst_ns;	   /* the clock may be behind by as much, after a pause */
	__u64 queue_ns;	   /* and ahead by as much; what comes then is dropped */
	__u64 clock_ns;	   /* when the next packet may leave */
	/* The same at half the rate, for the packets of one path. They are not dropped
	 * while it is ahead by less: so no path takes the room of the other one. */
	__u64 half_clock_ns[2]; /* the kernel's, eBPF's */
};

/* Value of `map_generation`, which has one entry, of key 0. Whoever changes a map
 * that the programs decide by counts it up after that. An answer in `flows4`
 * or `flows6` with another number is out of date. */
struct kubecni_generation {
	__u32 number;
};

/* Value of `tunnel_peers4` and `tunnel_peers6`. The key (struct
 * kubecni_addr4, kubecni_addr6) is an address from which a node of the
 * cluster may send through the tunnel. The entry of the unspecified address
 * (0.0.0.0, ::) is a marker: the list is complete. Without the marker, as in
 * emptied maps, no sender is refused. */
struct kubecni_tunnel_peer {
	__u32 vni; /* network identifier that the node sends with */
};

/* Keys of `flows4` and `flows6`: one direction of a flow, with what its
 * packets have before translation. An ICMP echo has its identifier as both
 * ports. */
struct kubecni_flow4 {
	__u8 src[4];
	__u8 dst[4];
	__u8 src_port[2];
	__u8 dst_port[2];
	__u32 place; /* the host ifindex of the pod that sends; 0: they come from outside the node
		      */
	__u8 proto;  /* IPPROTO_* */
	__u8 pad[3];
};

struct kubecni_flow6 {
	__u8 src[16];
	__u8 dst[16];
	__u8 src_port[2];
	__u8 dst_port[2];
	__u32 place;
	__u8 proto;
	__u8 pad[3];
};

enum kubecni_flow_owner {
	KUBECNI_FLOW_EBPF = 1,	    /* eBPF carries it */
	KUBECNI_FLOW_KERNEL = 2,    /* netfilter has to see it */
	KUBECNI_FLOW_HANDSHAKE = 3, /* translated, and conntrack has not seen enough of it */
	KUBECNI_FLOW_SPECIAL = 4,   /* translated in a way that eBPF cannot */
	KUBECNI_FLOW_NO_WAY = 5,    /* translated, to where eBPF knows no way */
	KUBECNI_FLOW_ELSEWHERE = 6, /* not translated, and not to a pod */
	KUBECNI_FLOW_PASSED = 7,    /* no answer yet: netfilter has let a packet of it pass */
	KUBECNI_FLOW_POLICED = 8,   /* eBPF carries it, but not its first and last packets */
};

/* What netfilter makes of a packet's addresses and ports. An IPv4 address is
 * in the first four bytes. */
struct kubecni_translation {
	__u8 src[16];
	__u8 dst[16];
	__u8 src_port[2];
	__u8 dst_port[2];
};

/* Value of `flows4` and `flows6`: the answer for packets of one direction of a
 * flow, with all that they need. It expires (bpf/flows.h). A program that
 * finds none decides anew, and asks the kernel's conntrack. */
struct kubecni_flow_state {
	/* The key. It comes first: when the kernel gives the memory of an
	 * entry to another flow, it writes the key before the rest. */
	union {
		struct kubecni_flow4 v4;
		struct kubecni_flow6 v6;
	} flow;
	__u32 generation; /* that the answer is of */
	__u64 decided_ns; /* CLOCK_MONOTONIC (coarse); ICMP echo: when the flow was last seen */
	__u8 owner;	  /* enum kubecni_flow_owner; what follows is for EBPF and POLICED */
	__u8 is_to_pod;	  /* to `pod`; else to `node` */
	__u8 is_routed;	  /* as opposed to switched */
	__u8 is_translated;
	__u8 eth_dst[6]; /* of the frames of a pod; others are not compared */
	__u8 eth_src[6];
	union {
		struct kubecni_endpoint pod;
		struct kubecni_node node; /* DIRECT, VXLAN or OUTSIDE */
	};
	struct kubecni_translation translation;
	struct kubecni_outer_way outer; /* VXLAN */
};

/* Value of `exit_counts`, one per CPU. */
struct kubecni_count {
	__u64 packets;
	__u64 bytes; /* whole frames, with the Ethernet header */
};

/* A program's return value for the hook: the TC_ACT_* of <linux/pkt_cls.h>. */
enum kubecni_verdict {
	KUBECNI_VERDICT_PASS = -1,    /* TC_ACT_UNSPEC: left to the kernel path, untouched */
	KUBECNI_VERDICT_DROP = 2,     /* TC_ACT_SHOT */
	KUBECNI_VERDICT_REDIRECT = 7, /* TC_ACT_REDIRECT */
};

/* The programs as bits, and groups of programs that share exits. */
enum kubecni_programs {
#define X(name, NAME, hook, device, maps) KUBECNI_BY_##NAME = 1 << KUBECNI_PROGRAM_##NAME,
	KUBECNI_PROGRAMS(X)
#undef X
	KUBECNI_BY_ARRIVING = KUBECNI_BY_FROM_WIRE | KUBECNI_BY_FROM_TUNNEL,
	KUBECNI_BY_FROM_ANYWHERE = KUBECNI_BY_FROM_POD | KUBECNI_BY_ARRIVING,
	KUBECNI_BY_FROM_ANYWHERE_OR_TO_POD = KUBECNI_BY_FROM_ANYWHERE | KUBECNI_BY_TO_POD,
	KUBECNI_BY_AT_POD = KUBECNI_BY_FROM_POD | KUBECNI_BY_TO_POD,
	KUBECNI_BY_INTO_POD = KUBECNI_BY_ARRIVING | KUBECNI_BY_TO_POD,
	KUBECNI_BY_WATCHING = KUBECNI_BY_TO_POD | KUBECNI_BY_TO_WIRE | KUBECNI_BY_TO_TUNNEL,
};

/* The exits of the programs: the reason, its verdict, the programs that may
 * give it, and its meaning. This one list feeds the programs, the counters,
 * the tool, the tests and docs/counters.md. Append only: the position is the
 * key of the `exit_counts` map.
 *
 * FAST_: sent on by eBPF. PASS_: left to the kernel path, untouched.
 * KERNEL_: seen by to_pod, to_wire or to_tunnel on the kernel path. DROP_:
 * dropped. */
#define KUBECNI_EXIT_REASONS(X)                                                                    \
	X(FAST_TO_LOCAL_POD, REDIRECT, FROM_POD, "eBPF: from a pod to a pod on the same node")     \
	X(FAST_TO_NODE, REDIRECT, FROM_POD, "eBPF: from a pod to the node that owns the address")  \
	X(FAST_FROM_WIRE, REDIRECT, FROM_WIRE, "eBPF: from the wire into a pod")                   \
	X(KERNEL_TO_POD, PASS, TO_POD, "kernel path: delivered to a pod")                          \
	X(KERNEL_TO_WIRE, PASS, TO_WIRE, "kernel path: between pods, sent to the wire")            \
	X(KERNEL_TO_WIRE_OTHER, PASS, TO_WIRE,                                                     \
	  "not between pods, sent to the wire, by either path")                                    \
	X(FAST_SENT_TO_WIRE, PASS, TO_WIRE, "eBPF: redirected packet seen leaving on the wire")    \
	X(PASS_ARP, PASS, FROM_POD, "kernel path: ARP")                                            \
	X(PASS_NOT_IP, PASS, FROM_ANYWHERE_OR_TO_POD, "kernel path: neither IPv4 nor IPv6")        \
	X(PASS_MULTICAST, PASS, AT_POD, "kernel path: multicast or broadcast")                     \
	X(PASS_IP_OPTIONS, PASS, FROM_ANYWHERE, "kernel path: IP options")                         \
	X(PASS_FRAGMENT, PASS, FROM_ANYWHERE, "kernel path: fragment")                             \
	X(PASS_TTL_EXPIRED, PASS, FROM_ANYWHERE, "kernel path: TTL used up, the kernel answers")   \
	X(PASS_OVER_MTU, PASS, FROM_ANYWHERE,                                                      \
	  "kernel path: longer than the path's MTU, the kernel answers")                           \
	X(PASS_PROTOCOL, PASS, FROM_ANYWHERE,                                                      \
	  "kernel path: not TCP, UDP, SCTP, an ICMP echo, or an ICMP error about one of these")    \
	X(PASS_KERNEL_FLOW, PASS, FROM_ANYWHERE, "kernel path: the kernel carries this flow")      \
	X(PASS_NO_NODE, PASS, FROM_POD, "kernel path: no node owns the address")                   \
	X(PASS_NO_ENDPOINT, PASS, FROM_ANYWHERE,                                                   \
	  "kernel path: no eBPF pod of this node has the address")                                 \
	X(PASS_NOT_READY, PASS, FROM_ANYWHERE, "kernel path: the pod is not ready for redirects")  \
	X(PASS_OTHER_MAC, PASS, FROM_POD,                                                          \
	  "kernel path: Ethernet destination is not the expected one")                             \
	X(PASS_UNKNOWN_SENDER, PASS, FROM_POD,                                                     \
	  "kernel path: the maps do not know this pod interface")                                  \
	X(PASS_NOT_FROM_POD, PASS, ARRIVING,                                                       \
	  "kernel path: the sender is not a pod of another node")                                  \
	X(PASS_NOT_TO_HOST, PASS, ARRIVING, "kernel path: frame addressed to another host")        \
	X(DROP_SHORT_PACKET, DROP, FROM_ANYWHERE, "dropped: ends inside a header")                 \
	X(DROP_SPOOFED_IP, DROP, FROM_POD,                                                         \
	  "dropped: pod sends from an address that is not its own")                                \
	X(DROP_SPOOFED_MAC, DROP, FROM_POD, "dropped: pod sends from a MAC that is not its own")   \
	X(DROP_SPOOFED_ARP, DROP, FROM_POD,                                                        \
	  "dropped: pod sends ARP for an address that is not its own")                             \
	X(PASS_VLAN, PASS, INTO_POD, "kernel path: VLAN tag")                                      \
	X(PASS_SHAPED, PASS, FROM_ANYWHERE, "kernel path: a queueing discipline limits the pod")   \
	X(PASS_NO_SOURCE, PASS, FROM_POD,                                                          \
	  "kernel path: the sender has no address yet, as in DHCP")                                \
	X(FAST_TO_TUNNEL, REDIRECT, FROM_POD,                                                      \
	  "eBPF: from a pod to the node that owns the address, through the tunnel")                \
	X(FAST_FROM_TUNNEL, REDIRECT, FROM_TUNNEL, "eBPF: from the tunnel into a pod")             \
	X(FAST_SENT_TO_TUNNEL, PASS, TO_TUNNEL,                                                    \
	  "eBPF: redirected packet seen leaving by the tunnel")                                    \
	X(KERNEL_TO_TUNNEL, PASS, TO_TUNNEL, "kernel path: between pods, sent to the tunnel")      \
	X(KERNEL_TO_TUNNEL_OTHER, PASS, TO_TUNNEL,                                                 \
	  "kernel path: not between pods, sent to the tunnel")                                     \
	X(PASS_NEIGHBOUR_DISCOVERY, PASS, FROM_ANYWHERE_OR_TO_POD,                                 \
	  "kernel path: IPv6 neighbour discovery")                                                 \
	X(PASS_EXTENSION_HEADER, PASS, FROM_ANYWHERE, "kernel path: IPv6 extension header")        \
	X(PASS_LINK_LOCAL, PASS, FROM_POD, "kernel path: IPv6 link-local address")                 \
	X(PASS_NO_PEERS, PASS, FROM_TUNNEL,                                                        \
	  "kernel path: the maps do not know who may use the tunnel")                              \
	X(DROP_SPOOFED_ND, DROP, FROM_POD,                                                         \
	  "dropped: pod sends neighbour discovery for an address that is not its own")             \
	X(DROP_ROUTER_ND, DROP, FROM_POD, "dropped: pod sends neighbour discovery as a router")    \
	X(DROP_TUNNEL_SOURCE, DROP, FROM_TUNNEL,                                                   \
	  "dropped: came through the tunnel from an address that is not a node's")                 \
	X(DROP_TUNNEL_ID, DROP, FROM_TUNNEL,                                                       \
	  "dropped: came through the tunnel with another network identifier")                      \
	X(DROP_TAGGED, DROP, FROM_POD, "dropped: pod sends with a VLAN tag")                       \
	X(DROP_FOREIGN_ERROR, DROP, FROM_POD,                                                      \
	  "dropped: pod sends an ICMP error about a packet that was not sent to it")               \
	X(DROP_MULTICAST_ROUTER, DROP, FROM_POD,                                                   \
	  "dropped: pod sends multicast queries or announcements as a router")                     \
	X(DROP_HIDDEN_HEADER, DROP, FROM_POD,                                                      \
	  "dropped: pod sends IPv6 headers that hide the headers behind them")                     \
	X(DROP_DHCP_SERVER, DROP, FROM_POD, "dropped: pod answers a DHCP client")                  \
	X(DROP_BRIDGE_CONTROL, DROP, FROM_POD,                                                     \
	  "dropped: pod sends frames to bridges, like STP or LLDP")                                \
	X(PASS_OTHER_NETWORK, PASS, FROM_POD,                                                      \
	  "kernel path: to another node, from a pod outside the cluster's network")                \
	X(FAST_TRANSLATED_TO_POD, REDIRECT, FROM_ANYWHERE,                                         \
	  "eBPF: translated as netfilter decided, into a pod of this node")                        \
	X(PASS_HANDSHAKE, PASS, FROM_ANYWHERE,                                                     \
	  "kernel path: netfilter translates the flow, which begins or ends")                      \
	X(PASS_SPECIAL_TRANSLATION, PASS, FROM_ANYWHERE,                                           \
	  "kernel path: netfilter translates the flow in a way that eBPF cannot")                  \
	X(PASS_NO_WAY, PASS, FROM_ANYWHERE,                                                        \
	  "kernel path: netfilter translates the flow, to where eBPF knows no way")                \
	X(FAST_TRANSLATED_TO_HOST, REDIRECT, FROM_ANYWHERE,                                        \
	  "eBPF: translated as netfilter decided, to another node or host")                        \
	X(DROP_MISPLACED_CHECKSUM, DROP, FROM_POD,                                                 \
	  "dropped: pod asks for a checksum to be written over a header")                          \
	X(PASS_POLICED, PASS, FROM_ANYWHERE,                                                       \
	  "kernel path: a policy selects a pod of the flow, and netfilter has to judge it")        \
	X(PASS_NO_NEIGHBOUR, PASS, FROM_POD,                                                       \
	  "kernel path: a flow begins, and the next hop to the node has not answered yet")         \
	X(DROP_NOT_JUDGED, DROP, WATCHING,                                                         \
	  "dropped: a policy selects its pod, and the policies' table has not let it pass")        \
	X(FAST_SENT_TO_POD, PASS, TO_POD,                                                          \
	  "eBPF: redirected packet seen at the limit of what its pod receives")                    \
	X(DROP_OVER_LIMIT, DROP, FROM_POD,                                                         \
	  "dropped: pod sends more than its limit of bandwidth lets through")

enum kubecni_exit_reason {
#define X(name, verdict, programs, text) KUBECNI_##name,
	KUBECNI_EXIT_REASONS(X)
#undef X
	KUBECNI_EXIT_REASON_COUNT
};

/* The columns of the list as constants, by reason. */
enum kubecni_exit_columns {
#define X(name, verdict, programs, text)                                                           \
	KUBECNI_##name##_VERDICT = KUBECNI_VERDICT_##verdict,                                      \
	KUBECNI_##name##_PROGRAMS = KUBECNI_BY_##programs,
	KUBECNI_EXIT_REASONS(X)
#undef X
};

#ifdef __cplusplus
#define KUBECNI_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size))
#else
#define KUBECNI_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

#ifdef __cplusplus
static_assert(KUBECNI_EXIT_REASON_COUNT <= KUBECNI_MAX_EXIT_REASONS);
#else
_Static_assert(KUBECNI_EXIT_REASON_COUNT <= KUBECNI_MAX_EXIT_REASONS, "exit_counts is too small");
#endif
KUBECNI_ASSERT_SIZE(struct kubecni_cidr4_key, 8);
KUBECNI_ASSERT_SIZE(struct kubecni_cidr6_key, 20);
KUBECNI_ASSERT_SIZE(struct kubecni_node, 68);
KUBECNI_ASSERT_SIZE(struct kubecni_outer_way, 24);
KUBECNI_ASSERT_SIZE(struct kubecni_addr4, 4);
KUBECNI_ASSERT_SIZE(struct kubecni_addr6, 16);
KUBECNI_ASSERT_SIZE(struct kubecni_endpoint4_key, 8);
KUBECNI_ASSERT_SIZE(struct kubecni_endpoint6_key, 20);
#ifndef KUBECNI_OTHER_SCHEMA
KUBECNI_ASSERT_SIZE(struct kubecni_endpoint, 20);
#endif
KUBECNI_ASSERT_SIZE(struct kubecni_pod_iface, 32);
KUBECNI_ASSERT_SIZE(struct kubecni_node_config, 24);
KUBECNI_ASSERT_SIZE(struct kubecni_pacer, 48);
KUBECNI_ASSERT_SIZE(struct kubecni_generation, 4);
KUBECNI_ASSERT_SIZE(struct kubecni_tunnel_peer, 4);
KUBECNI_ASSERT_SIZE(struct kubecni_flow4, 20);
KUBECNI_ASSERT_SIZE(struct kubecni_flow6, 44);
KUBECNI_ASSERT_SIZE(struct kubecni_translation, 36);
KUBECNI_ASSERT_SIZE(struct kubecni_flow_state, 200);
KUBECNI_ASSERT_SIZE(struct kubecni_count, 16);

#endif /* KUBECNI_ABI_H */
