/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A pod's ARP. */
#ifndef KUBECNI_BPF_ARP_H
#define KUBECNI_BPF_ARP_H

#include "exits.h"
#include "sender.h"

/* ARP for IPv4 over Ethernet, RFC 826. The kernel's header for it includes
 * libc's, which BPF C cannot have. */
struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_len;
	__u8 protocol_len;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender_ip[4];
	__u8 target_mac[6];
	__u8 target_ip[4];
} __attribute__((packed));

#define ARP_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2

/* Whether it is valid ARP for IPv4 over Ethernet. The kernel also accepts
 * hardware type 6. */
static __always_inline bool is_plain_arp(const struct arp_ipv4 *arp)
{
	return arp->hardware == bpf_htons(ARP_ETHERNET) && arp->protocol == bpf_htons(ETH_P_IP) &&
	       arp->hardware_len == ETH_ALEN && arp->protocol_len == 4 &&
	       (arp->operation == bpf_htons(ARP_REQUEST) || arp->operation == bpf_htons(ARP_REPLY));
}

/* ARP always goes by the bridge, but only if the sender fields are the pod's
 * own. A request from address 0 is a probe (RFC 5227). */
static __always_inline struct exit on_arp(struct __sk_buff *skb, const struct ethhdr *eth,
					  struct cursor *cur)
{
	struct arp_ipv4 *arp = pull(cur, sizeof(*arp));
	if (!arp)
		return EXIT(DROP_SHORT_PACKET);
	struct kubecni_pod_iface iface;
	if (!read_sender(skb, AF_INET, &iface))
		return EXIT(PASS_UNKNOWN_SENDER);

	__u32 sender;
	__builtin_memcpy(&sender, arp->sender_ip, 4);
	const bool is_probe = !sender && arp->operation == bpf_htons(ARP_REQUEST);
	if (!is_plain_arp(arp) || !(is_probe || is_own_addr(skb, &iface, &sender, AF_INET)) ||
	    !same_mac(arp->sender_mac, iface.pod_mac) || !same_mac(eth->h_source, iface.pod_mac))
		return EXIT(DROP_SPOOFED_ARP);
	return EXIT(PASS_ARP);
}

#endif /* KUBECNI_BPF_ARP_H */
