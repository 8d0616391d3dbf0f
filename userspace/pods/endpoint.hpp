#pragma once

#include "dataplane/attachment.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "net/link.hpp"

#include <set>

namespace kubecni {

/// What the eBPF path has to know of the pod, as its record and the kernel have
/// it: `host` is the host end of its veth, `shaped_links` what list_shaped_links()
/// says.
PodEndpoint endpoint_of(const Attachment& attachment, const Link& host, const MacAddr& gateway_mac,
                        const std::set<unsigned>& shaped_links);

}  // namespace kubecni
