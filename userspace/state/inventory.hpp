#pragma once

#include <array>
#include <string_view>

namespace kubecni {

/// Something that kube-cni makes on a node.
struct MadeThing {
  std::string_view name;
  std::string_view what;
  std::string_view made_by;
  std::string_view restored_by;
};

inline constexpr std::string_view kByAdd = "ADD";
inline constexpr std::string_view kByDaemon = "kube-cnid";
inline constexpr std::string_view kByBoth = "ADD, kube-cnid";
/// The pod's own side: CHECK says what is wrong there.
inline constexpr std::string_view kByNobody = "nobody: delete the pod";

/// Every single thing that ADD or the daemon makes on a node, and who brings it back when it is
/// taken away. docs/architecture.md lists it, and an end-to-end test takes each thing away that the
/// daemon brings back.
inline constexpr std::array kMadeThings{
    // Of each pod.
    MadeThing{"pod interface", "the veth, and in the pod its address, routes and the gateway's MAC",
              kByAdd, kByNobody},
    MadeThing{"host end", "the veth's end on the node is up", kByAdd, kByDaemon},
    MadeThing{"bridge port",
              "the host end is a port of the bridge; in mode `ptp` routes lead there to the pod",
              kByAdd, kByDaemon},
    MadeThing{"port settings", "hairpin, no learning, no flooding, locked, guard, no router",
              kByAdd, kByDaemon},
    MadeThing{"pod FDB entry", "static, the pod's MAC on its port", kByAdd, kByDaemon},
    MadeThing{"pod neighbours",
              "permanent, protocol 84, on the bridge, or in mode `ptp` on the host end", kByAdd,
              kByDaemon},
    MadeThing{"pod programs", "`to_pod` and `from_pod` on the host end", kByAdd, kByDaemon},
    MadeThing{"endpoint entry", "`endpoints4`, `endpoints6`", kByAdd, kByDaemon},
    MadeThing{"pod_ifaces entry", "`pod_ifaces`", kByAdd, kByDaemon},
    MadeThing{"host ports", "the elements of the host port table", kByAdd, kByDaemon},
    MadeThing{"receive limit", "a `tbf` on the host end, of a pod whose bandwidth is limited",
              kByAdd, kByDaemon},
    MadeThing{"send limit",
              "the device `ifb` with a `tbf`, and the filter that leads there, likewise", kByAdd,
              kByDaemon},
    MadeThing{"policy entries", "the elements of the policy table, while the cluster has policies",
              kByBoth, kByDaemon},
    MadeThing{"attachment record", "in the state folder, `attachments/`", kByAdd, kByDaemon},
    MadeThing{"lease", "in the state folder, `ipam/`", kByAdd, kByDaemon},
    // Of the bridge.
    MadeThing{"bridge", "`cni0`, or as the network names it", kByBoth, kByDaemon},
    MadeThing{"uplink port",
              "the device that the network names as its uplink is a port of the bridge", kByBoth,
              kByDaemon},
    MadeThing{"bridge state", "the bridge is up", kByBoth, kByDaemon},
    MadeThing{"bridge MAC", "the one that pods know for their gateway", kByBoth, kByDaemon},
    MadeThing{"bridge FDB entry", "the bridge's own MAC", "the kernel", kByDaemon},
    MadeThing{"gateway address",
              "on the bridge, or in mode `ptp` on each host end, one of each family", kByBoth,
              kByDaemon},
    MadeThing{"multicast snooping", "off on the bridge", kByBoth, kByDaemon},
    MadeThing{"policy hooks",
              "the bridge's `nf_call_iptables` and `nf_call_ip6tables`, while the cluster has "
              "policies",
              kByDaemon, kByDaemon},
    // Settings of the node.
    MadeThing{"node forwarding", "`ip_forward`; for IPv6 `conf/all/forwarding`", kByBoth,
              kByDaemon},
    MadeThing{"bridge forwarding", "`conf/<bridge>/forwarding`", kByBoth, kByDaemon},
    MadeThing{"NIC forwarding",
              "`ipv4/conf/<device>/forwarding` of each device that leads to a peer; with IPv6 pods "
              "`accept_ra`, too",
              kByDaemon, kByDaemon},
    MadeThing{"conntrack settings",
              "`nf_conntrack_tcp_be_liberal`, `nf_conntrack_tcp_ignore_invalid_rst`", kByDaemon,
              kByDaemon},
    MadeThing{"bridge netfilter", "`bridge-nf-call-iptables` and `-ip6tables`", kByDaemon,
              kByDaemon},
    MadeThing{
        "localhost ports",
        "`ipv4/conf/<bridge>/route_localnet`, or in mode `ptp` that of the host end, with a pod "
        "that has host ports",
        kByBoth, kByDaemon},
    // Between nodes.
    MadeThing{"node routes", "protocol 84, one for each PodCIDR of a peer", kByDaemon, kByDaemon},
    MadeThing{"route to nobody",
              "protocol 84, unreachable, metric 1024, for each PodCIDR of this node, with "
              "`--mode ptp`",
              kByDaemon, kByDaemon},
    MadeThing{"proxies",
              "protocol 84: a bridge answers for the pods in mode `ptp` that are in its subnet",
              kByDaemon, kByDaemon},
    MadeThing{
        "node rule",
        "`iif <bridge> lookup 84`, in mode `ptp` `from <PodCIDR> lookup 84`, with a peer behind "
        "the tunnel",
        kByDaemon, kByDaemon},
    MadeThing{"ways back",
              "routes in table 86, rules that lead there, and `src_valid_mark` of the NIC, with a "
              "strict `rp_filter` and a peer behind the tunnel",
              kByDaemon, kByDaemon},
    MadeThing{"tunnel device", "`kcni.vxlan`", kByDaemon, kByDaemon},
    MadeThing{"tunnel neighbours", "permanent, one for each peer behind the tunnel", kByDaemon,
              kByDaemon},
    MadeThing{"wire programs", "`to_wire` and `from_wire` on the NICs", kByDaemon, kByDaemon},
    MadeThing{"tunnel programs", "`to_tunnel` and `from_tunnel`", kByDaemon, kByDaemon},
    MadeThing{"node map entries", "`node_cidrs4`, `node_cidrs6`", kByDaemon, kByDaemon},
    MadeThing{"tunnel peer entries", "`tunnel_peers4`, `tunnel_peers6`", kByDaemon, kByDaemon},
    MadeThing{"cluster network", "`node_config`", kByDaemon, kByDaemon},
    MadeThing{"pacers",
              "`pacers`, `pacing_devices`, with a pod whose sending is limited and a device with "
              "`fq`",
              kByDaemon, kByDaemon},
    MadeThing{"pins", "programs, maps and links on the bpffs", kByBoth, kByDaemon},
    MadeThing{"node nftables table", "`inet kube-cni`", kByDaemon, kByDaemon},
    MadeThing{"pod nftables table",
              "`bridge kube-cni`; with pods in mode `ptp` also `inet kube-cni-guard`", kByDaemon,
              kByDaemon},
    MadeThing{"host port table", "`inet kube-cni-hostports`, with a pod that has host ports",
              kByBoth, kByDaemon},
    MadeThing{"forward rules", "accept this node's pods in a chain that drops by its policy",
              kByDaemon, kByDaemon},
    MadeThing{"policy table", "`inet kube-cni-policy`, while the cluster has policies", kByDaemon,
              kByDaemon},
    MadeThing{"closed table",
              "`inet kube-cni-closed`, while the cluster has policies; it goes when kube-cnid ends",
              kByDaemon, "nobody: others cannot change it"},
    MadeThing{"probe port", "`kcni.probe`, at which other nodes test this one", kByDaemon,
              kByDaemon},
    // Files.
    MadeThing{"node.json", "in the state folder: what the plugin is told", kByDaemon, kByDaemon},
    MadeThing{"policy namespaces",
              "in the state folder, `policies`: which namespaces have policies", kByDaemon,
              kByDaemon},
    MadeThing{"run folder", "the daemon's lock, `status.json`, `policies.json`", kByBoth,
              kByDaemon},
};

}  // namespace kubecni
