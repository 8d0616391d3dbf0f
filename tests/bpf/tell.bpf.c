/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in front of a program and says of its packet what a test run cannot:
 * tc_index, which is in cb, and that its time is that of its departure. */
#include "kubecni/abi.h" /* first: it has the types */

#include <bpf/bpf_helpers.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} next SEC(".maps");

SEC("tc")
int tell(struct __sk_buff* skb) {
  skb->tc_index = skb->cb[0];
  skb->cb[0] = 0;
  if (skb->tstamp) bpf_skb_set_tstamp(skb, skb->tstamp, BPF_SKB_TSTAMP_DELIVERY_MONO);
  bpf_tail_call(skb, &next, 0);
  return TC_ACT_PIPE; /* no program has this verdict */
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
