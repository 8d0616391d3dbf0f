#pragma once

#include "dataplane/endpoint_table.hpp"
#include "net/link.hpp"
#include "net/qdisc.hpp"
#include "state/attachment.hpp"

namespace kubecni {

/// What of the pod's traffic a queueing discipline limits. `host_ifindex` is the host end of its
/// veth, `shaped_links` the result of list_shaped_links().
Shaped shaped_of(const Attachment& attachment, unsigned host_ifindex,
                 const ShapedLinks& shaped_links);

/// The network of the pod for eBPF; `bridge_ifindex` is that of its bridge, if it is on one.
unsigned network_of(const PodPort& port, unsigned bridge_ifindex);

/// The pod's data for the eBPF path, from its record and the kernel: `host` is the host end of its
/// veth, `network` that of network_of(). Only ADD and kube-cnid say whether it is policed.
PodEndpoint endpoint_of(const Attachment& attachment, const Link& host, unsigned network,
                        const MacAddr& gateway_mac, const ShapedLinks& shaped_links,
                        Policed policed = Policed::kAsIs);

}  // namespace kubecni
