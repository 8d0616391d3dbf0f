#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// Tells everybody on the link of interface `ifname`, in the namespace `netns_fd`, that `addresses`
/// are at `mac`: a gratuitous ARP request (RFC 5227, section 3), an unsolicited neighbour
/// advertisement with the override flag (RFC 4861, section 7.2.6). Who knows one of the addresses
/// at another MAC learns this one; others ignore it. Waits for nobody.
///
/// The interface has the addresses, and is up. Errors: ENODEV no such interface; EPERM no
/// CAP_NET_RAW; those of send(2).
Result<> announce_addresses(int netns_fd, const std::string& ifname, const MacAddr& mac,
                            const std::vector<IpAddr>& addresses);

}  // namespace kubecni
