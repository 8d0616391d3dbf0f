#pragma once

#include "dataplane/endpoint_table.hpp"
#include "net/link.hpp"
#include "net/qdisc.hpp"
#include "state/attachment.hpp"

#include <cstdint>

namespace kubecni {

/// What of the pod's traffic a queueing discipline limits, if it has no pacer. `host_ifindex` is
/// the host end of its veth, `shaped_links` the result of list_shaped_links().
Shaped shaped_of(const Attachment& attachment, unsigned host_ifindex,
                 const ShapedLinks& shaped_links);

/// The same if it may have one. A limit of less than kLeastPacedRate is left to the kernel: fq
/// would keep the packets so long that those of others wait behind them, where it has put both into
/// one queue.
Shaped shaped_of(const Attachment& attachment, unsigned host_ifindex,
                 const ShapedLinks& shaped_links, Pacing pacing);
inline constexpr std::uint64_t kLeastPacedRate = 10'000'000;  ///< bits per second

/// The network of the pod for eBPF; `bridge_ifindex` is that of its bridge, if it is on one.
unsigned network_of(const PodPort& port, unsigned bridge_ifindex);

/// The pod's data for the eBPF path, from its record and the kernel: `host` is the host end of its
/// veth, `network` that of network_of(). Only ADD and kube-cnid say whether it is policed, and
/// whether it may have a pacer.
PodEndpoint endpoint_of(const Attachment& attachment, const Link& host, unsigned network,
                        const MacAddr& gateway_mac, const ShapedLinks& shaped_links,
                        Policed policed = Policed::kAsIs, Pacing pacing = Pacing::kAsIs);

}  // namespace kubecni
