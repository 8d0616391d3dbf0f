/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a redirect into another namespace leaves on a packet: stain() marks a
 * packet and redirects it, look() notes what it finds on the other side. */
#include "redirect_seen.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct redirect_seen);
} seen SEC(".maps");

volatile const __u32 target_ifindex;

static __always_inline bool is_udp(struct __sk_buff* skb) {
  struct iphdr ip;
  return skb->protocol == bpf_htons(ETH_P_IP) &&
         !bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) && ip.protocol == IPPROTO_UDP;
}

static __always_inline bool has_tunnel_key(struct __sk_buff* skb) {
  struct bpf_tunnel_key key = {};
  return !bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0) && key.tunnel_id == STAIN;
}

static __always_inline bool has_ipsec(struct __sk_buff* skb) {
  struct bpf_xfrm_state state = {};
  return !bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0);
}

static __always_inline void note(struct __sk_buff* skb, struct redirect_seen* to) {
  to->mark = skb->mark == STAIN;
  to->priority = skb->priority == STAIN;
  to->tc_index = skb->tc_index == STAIN;
  to->tunnel_key = has_tunnel_key(skb);
  to->ipsec = has_ipsec(skb);
  to->packets++;
}

SEC("tc")
int stain(struct __sk_buff* skb) {
  struct bpf_tunnel_key key = {.tunnel_id = STAIN, .remote_ipv4 = STAIN};
  if (!is_udp(skb)) return TC_ACT_UNSPEC;
  skb->mark = STAIN;
  skb->priority = STAIN;
  skb->tc_index = STAIN;
  bpf_skb_set_tunnel_key(skb, &key, sizeof(key), 0);
  return bpf_redirect_peer(target_ifindex, 0);
}

SEC("tc")
int look(struct __sk_buff* skb) {
  __u32 key = 0;
  struct redirect_seen* found = bpf_map_lookup_elem(&seen, &key);
  if (found && is_udp(skb)) note(skb, found);
  return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
