// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "conntrack.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include <bpf/bpf_core_read.h>

#include "maps.h"

/* The kernel's name for this bit is not for userspace: another flow had the
 * same tuple, so packets of this one may be dropped. */
#define IPS_NAT_CLASH IPS_UNTRACKED

/* A connection that lives no longer than this is over for conntrack, whatever
 * its state says: after a RST whose sequence number it did not expect, since
 * it has not seen the packets before, it keeps the state and shortens the
 * timeout (nf_conntrack_tcp_timeout_close, 10 s). In jiffies: 20 s to 200 s. */
#define CLOSING_JIFFIES 20000

/* Flows of which netfilter changes more than addresses and ports, that end,
 * or whose timeout is fixed, or whose packets go by a flowtable. */
#define SPECIAL_STATUS                                                                             \
	(IPS_SEQ_ADJUST | IPS_HELPER | IPS_NAT_CLASH | IPS_DYING | IPS_FIXED_TIMEOUT |             \
	 IPS_OFFLOAD | IPS_HW_OFFLOAD)

/* enum ip_conntrack_dir */
#define ORIGINAL 0
#define REPLY 1

/* The kernel's defaults, in seconds. */
#define TCP_TIMEOUT_S (5 * 24 * 3600)
#define UDP_TIMEOUT_S 120
#define UDP_UNANSWERED_TIMEOUT_S 30
#define MAX_TIMEOUT_S (30 * 24 * 3600) /* in milliseconds, it fits into 32 bits */

/* The parts of the kernel's types that are used. */
#define KERNEL_TYPE __attribute__((preserve_access_index))

union nf_inet_addr {
	__u32 all[4];
} KERNEL_TYPE;

union nf_conntrack_man_proto {
	__be16 all;
} KERNEL_TYPE;

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
} KERNEL_TYPE;

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
	} dst;
} KERNEL_TYPE;

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
} KERNEL_TYPE;

struct ip_ct_tcp {
	__u8 state; /* enum tcp_conntrack */
} KERNEL_TYPE;

union nf_conntrack_proto {
	struct ip_ct_tcp tcp;
} KERNEL_TYPE;

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	__u32 timeout;	      /* in the lower 32 bits of jiffies */
	unsigned long status; /* IPS_* */
	__u32 mark;
	union nf_conntrack_proto proto;
} KERNEL_TYPE;

struct conntrack_opts { /* struct bpf_ct_opts, as of 5.18 */
	__s32 netns_id; /* -1: that of the packet's device */
	__s32 error;
	__u8 l4proto;
	__u8 dir; /* of the tuple that was found: enum ip_conntrack_dir */
	__u8 reserved[2];
};

struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
				  __u32 tuple_len, struct conntrack_opts *opts,
				  __u32 opts_len) __ksym;
int bpf_ct_change_timeout(struct nf_conn *ct, __u32 timeout_ms) __ksym;
void bpf_ct_release(struct nf_conn *ct) __ksym;

/* A packet of one direction leaves with the addresses that the answer to it
 * has, turned round. */
static __always_inline void turn_round(struct kubecni_translation *to,
				       const struct nf_conntrack_tuple *answer)
{
	const __be16 src_port = answer->dst.u.all, dst_port = answer->src.u.all;
	__u32 *src = (void *)to->src, *dst = (void *)to->dst;
	for (int i = 0; i < 4; i++) {
		src[i] = answer->dst.u3.all[i];
		dst[i] = answer->src.u3.all[i];
	}
	__builtin_memcpy(to->src_port, &src_port, 2);
	__builtin_memcpy(to->dst_port, &dst_port, 2);
}

static __always_inline __u32 timeout_of(__u8 protocol, bool is_answered)
{
	const __u32 only = 0;
	const struct kubecni_node_config *config = bpf_map_lookup_elem(&node_config, &only);
	if (protocol == IPPROTO_TCP)
		return config && config->tcp_timeout_s ? config->tcp_timeout_s : TCP_TIMEOUT_S;
	if (is_answered)
		return config && config->udp_timeout_s ? config->udp_timeout_s : UDP_TIMEOUT_S;
	return config && config->udp_unanswered_timeout_s ? config->udp_unanswered_timeout_s
							  : UDP_UNANSWERED_TIMEOUT_S;
}

/* Packets that eBPF carries do not reach conntrack. */
static __always_inline void prolong(struct nf_conn *ct, __u8 protocol)
{
	__u32 timeout_s = timeout_of(protocol, ct->status & IPS_SEEN_REPLY);
	if (timeout_s > MAX_TIMEOUT_S)
		timeout_s = MAX_TIMEOUT_S;
	bpf_ct_change_timeout(ct, timeout_s * 1000);
}

/* Whether conntrack has seen enough of the flow to miss its next packets. */
static __always_inline bool is_settled(struct nf_conn *ct, __u8 protocol, __u8 dir)
{
	/* UDP that nobody answers never becomes ASSURED. */
	if (protocol == IPPROTO_UDP && !(ct->status & IPS_SEEN_REPLY) && dir == ORIGINAL)
		return true;
	/* Not with the first answer: the entry would never become ASSURED,
	 * and so be the first to go when conntrack is full. */
	if (!(ct->status & IPS_ASSURED))
		return false;
	return protocol != IPPROTO_TCP ||
	       (ct->proto.tcp.state == TCP_CONNTRACK_ESTABLISHED &&
		(__s32)(ct->timeout - (__u32)bpf_jiffies64()) > CLOSING_JIFFIES);
}

static __always_inline enum tracking judge(struct nf_conn *ct, __u8 protocol, __u8 dir)
{
	const unsigned long status = ct->status;
	if (!(status & (IPS_SRC_NAT | IPS_DST_NAT))) {
		/* If netfilter saw only the SYN of a connection, the handshake
		 * never ends for it. Should the flow come back, its packets
		 * would be INVALID. */
		if (protocol == IPPROTO_TCP && !(status & IPS_SEEN_REPLY))
			return TRACKED_HANDSHAKE;
		return is_settled(ct, protocol, dir) ? TRACKED : TRACKED_YOUNG;
	}
	/* By a mark, rules may choose another route. */
	if ((status & SPECIAL_STATUS) || ct->mark)
		return TRANSLATED_SPECIAL;
	return is_settled(ct, protocol, dir) ? TRANSLATED : TRANSLATED_HANDSHAKE;
}

enum tracking look_up_tuple(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple_len,
			    __u8 protocol, struct kubecni_translation *translation)
{
	struct conntrack_opts opts = {.netns_id = -1, .l4proto = protocol};
	struct nf_conn *ct = bpf_skb_ct_lookup(skb, tuple, tuple_len, &opts, sizeof(opts));
	if (!ct)
		return UNTRACKED;
	const enum tracking found = judge(ct, protocol, opts.dir);
	if (found >= TRANSLATED && translation) {
		if (opts.dir == ORIGINAL)
			turn_round(translation, &ct->tuplehash[REPLY].tuple);
		else
			turn_round(translation, &ct->tuplehash[ORIGINAL].tuple);
	}
	if ((found == TRANSLATED || found == TRACKED) && translation)
		prolong(ct, protocol);
	bpf_ct_release(ct);
	return found;
}

char conntrack_license[] SEC("license") = "Dual BSD/GPL";
