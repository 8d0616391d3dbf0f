// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "conntrack.h"

#include <linux/netfilter/nf_conntrack_common.h>

#include <bpf/bpf_core_read.h>

/* The parts of the kernel's types that are used. */
struct nf_conn {
	unsigned long status; /* IPS_* */
} __attribute__((preserve_access_index));

struct conntrack_opts { /* struct bpf_ct_opts, as of 5.18 */
	__s32 netns_id; /* -1: that of the packet's device */
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
				  __u32 tuple_len, struct conntrack_opts *opts,
				  __u32 opts_len) __ksym;
void bpf_ct_release(struct nf_conn *ct) __ksym;

bool is_tuple_netfilters(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple_len,
			 __u8 protocol)
{
	struct conntrack_opts opts = {.netns_id = -1, .l4proto = protocol};
	struct nf_conn *ct = bpf_skb_ct_lookup(skb, tuple, tuple_len, &opts, sizeof(opts));
	if (!ct)
		return false;
	const unsigned long status = ct->status;
	bpf_ct_release(ct);
	if (status & (IPS_SRC_NAT | IPS_DST_NAT))
		return true;
	/* If netfilter saw only the SYN of a connection, the handshake never
	 * ends for it. Should the flow come back, its packets would be
	 * INVALID. */
	return protocol == IPPROTO_TCP && !(status & IPS_SEEN_REPLY);
}

char conntrack_license[] SEC("license") = "Dual BSD/GPL";
