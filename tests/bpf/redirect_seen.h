/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBECNI_TESTS_BPF_REDIRECT_SEEN_H
#define KUBECNI_TESTS_BPF_REDIRECT_SEEN_H

#include <linux/types.h>

#define STAIN 77

/* Which marks of stain() a packet still had. */
struct redirect_seen {
  __u32 packets;
  __u32 mark;
  __u32 priority;
  __u32 tc_index;
  __u32 tunnel_key; /* the packet's dst */
  __u32 ipsec;      /* that it came by IPsec (secpath) */
};

#endif /* KUBECNI_TESTS_BPF_REDIRECT_SEEN_H */
