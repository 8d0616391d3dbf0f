#pragma once

namespace kubecni {

/// A setting of the node, by its path below /proc/sys.
struct Sysctl {
  const char* name;
  const char* value;
};

/// Without these settings, flows that change between the paths may break.
inline constexpr Sysctl kPathSysctls[] = {
    // A TCP flow that moves to the kernel path in mid-stream must not be INVALID.
    {"net/netfilter/nf_conntrack_tcp_be_liberal", "1"},
    // After some GB by eBPF, conntrack would take the RST of such a flow for one out of the window
    // (kernel 5.14).
    {"net/netfilter/nf_conntrack_tcp_ignore_invalid_rst", "1"},
    // kube-proxy's answers between pods of one bridge have to meet conntrack.
    {"net/bridge/bridge-nf-call-iptables", "1"},
    {"net/bridge/bridge-nf-call-ip6tables", "1"},
};

/// Settings that make the node a router; set with the bridge.
inline constexpr Sysctl kForwardingSysctls[] = {
    {"net/ipv4/ip_forward", "1"},
    {"net/ipv6/conf/all/forwarding", "1"},
};

}  // namespace kubecni
