#pragma once

#include "config/setting.hpp"

#include <array>
#include <string_view>

namespace kubecni {

/// All settings, in the order of docs/reference.md, which is generated from this list: run `ninja
/// -C build reference` after a change.
inline constexpr std::array kSettings{
    Setting{.key = "cniVersion",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .fallback = "0.1.0",
            .meaning = "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0 or 1.1.0",
            .shown_default = "0.1.0"},
    Setting{.key = "name",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .meaning = "the network's name"},
    Setting{.key = "network",
            .owner = Owner::kPlugin,
            .type = Type::kNetwork,
            .meaning = "the cluster's pod network; if it is set, `subnet` must lie in it"},
    Setting{.key = "subnet",
            .owner = Owner::kPlugin,
            .type = Type::kNetwork,
            .meaning = "this node's pods; the first address is the gateway, on the bridge",
            .shown_default = "what `kube-cnid` has learned: the first PodCIDR of each family"},
    Setting{.key = "ipam.ranges",
            .owner = Owner::kPlugin,
            .type = Type::kOther,
            .meaning = "instead of `subnet`, as `host-local` has it: a list of sets, "
                       "`[[{\"subnet\", \"rangeStart\", \"rangeEnd\", \"gateway\"}, ...], ...]`. A "
                       "pod gets one IPv4 or IPv6 address of each set, from the set's first range "
                       "that has a free one. A single range may stand in `ipam` itself"},
    Setting{.key = "ipam.type",
            .owner = Owner::kPlugin,
            .type = Type::kOther,
            .meaning =
                "another plugin that allocates, found in `CNI_PATH`: `host-local`, `static`, "
                "`dhcp` or any. The rest of `ipam` is that plugin's own. If it knows only older "
                "versions of the specification, it is called with the highest one that both know"},
    Setting{.key = "ipam.migrateFrom",
            .owner = Owner::kPlugin,
            .type = Type::kOther,
            .fallback = "/var/lib/cni/networks",
            .meaning = "the data folder of a `host-local` that this node ran before. The addresses "
                       "of its pods are not given out until DEL or GC frees them, or the node is "
                       "booted. `\"\"` or `false`: the folder is not read"},
    Setting{.key = "bridge",
            .owner = Owner::kBoth,
            .type = Type::kInterface,
            .fallback = "cni0",
            .help = "The pods' bridge",
            .meaning = "the bridge; it is made when it is missing"},
    Setting{.key = "isGateway",
            .owner = Owner::kPlugin,
            .type = Type::kFlag,
            .meaning = "the bridge has the gateway's address",
            .shown_default = "`true`, with `dhcp` `false`"},
    Setting{
        .key = "isDefaultGateway",
        .owner = Owner::kPlugin,
        .type = Type::kFlag,
        .meaning =
            "whether the pod's default routes lead here. Not set: for each family for which the "
            "pod has no default route by another interface yet. `true`: before the routes of its "
            "other interfaces, which lead again after DEL. `false`: only if `ipam` names one"},
    Setting{.key = "mtu",
            .owner = Owner::kPlugin,
            .type = Type::kNumber,
            .least = 576,
            .most = 65535,
            .help = "an MTU in bytes",
            .meaning = "bytes, 576 to 65535",
            .shown_default = "what `kube-cnid` has learned, else 1500"},
    Setting{.key = "dataplane",
            .owner = Owner::kBoth,
            .type = Type::kChoice,
            .fallback = "auto",
            .allowed = "auto|ebpf|bridge",
            .help = "auto: eBPF where it loads; ebpf: eBPF, or exit; bridge: the kernel path alone",
            .meaning = "`auto`: eBPF where it can be loaded, else the kernel path, with the reason "
                       "in the log and in `kube-cnictl status`. `ebpf`: ADD fails with that "
                       "reason. `bridge`: the kernel path alone"},
    Setting{.key = "podHooks",
            .owner = Owner::kPlugin,
            .type = Type::kChoice,
            .fallback = "auto",
            .allowed = "auto|tcx|clsact",
            .meaning =
                "how programs are attached to pods' veths. `clsact`: by filters; a pod starts "
                "six times as fast. `tcx`: by links (kernel 6.6); every other plugin works "
                "beside them. `auto`: by filters if the runtime's list of this network has only "
                "`portmap`, `tuning`, `firewall` and `sbr` beside kube-cni, else by links"},
    Setting{.key = "confDir",
            .owner = Owner::kPlugin,
            .type = Type::kPath,
            .fallback = "/etc/cni/net.d",
            .meaning = "where the runtime has its lists"},
    Setting{.key = "stateDir",
            .owner = Owner::kBoth,
            .type = Type::kPath,
            .fallback = "/var/lib/kube-cni",
            .help = "What has to survive a reboot",
            .meaning = "leases and attachments"},
    Setting{.key = "runDir",
            .owner = Owner::kBoth,
            .type = Type::kPath,
            .fallback = "/run/kube-cni",
            .help = "Locks and status",
            .meaning = "locks, the daemon's status, the count of the plugin's calls"},
    Setting{
        .key = "bpffs",
        .owner = Owner::kBoth,
        .type = Type::kPath,
        .fallback = "/sys/fs/bpf/kube-cni",
        .help = "Folder for the pins",
        .meaning = "the pins. If a bpf file system is missing below `/sys/fs/bpf`, it is mounted"},
    Setting{.key = "logLevel",
            .owner = Owner::kPlugin,
            .type = Type::kChoice,
            .fallback = "info",
            .allowed = "error|warn|info|debug",
            .meaning = "`error`, `warn`, `info`, `debug`; on standard error"},
    Setting{.key = "dns",
            .owner = Owner::kPlugin,
            .type = Type::kOther,
            .meaning = "passed on in the result"},
    Setting{
        .key = "runtimeConfig.bandwidth",
        .owner = Owner::kRuntime,
        .type = Type::kOther,
        .meaning = "a limit that the plugin `bandwidth` makes: such a pod takes the kernel path"},
    Setting{.key = "runtimeConfig.ipRanges",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .meaning = "ranges for one pod, from the runtime, instead of the configured ones"},
    Setting{.key = "runtimeConfig.ips",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .meaning = "addresses for one pod, from the runtime; `args.cni.ips` and `IP` in "
                       "`CNI_ARGS` say the same"},
    Setting{.key = "runtimeConfig.mac",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .meaning = "a MAC for one pod, from the runtime; `args.cni.mac` and `MAC` in "
                       "`CNI_ARGS` say the same"},

    // The daemon's.
    Setting{.key = "nodeName",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "Name of this node's Node object (default: the host's, as kubelet has it)",
            .meaning = "this node's name among the Node objects",
            .shown_default = "the host's name in lower case, as kubelet has it"},
    Setting{.key = "nodeSource",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "file:PATH, a NodeList as `kubectl get nodes -o json` prints it, or kubernetes",
            .meaning = "`kubernetes`: LIST, then WATCH. `file:PATH`: what `kubectl get nodes -o "
                       "json` prints. The file is watched, so that an edit takes effect at once"},
    Setting{.key = "kubeconfig",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "How to reach the API server (default: the pod's service account)",
            .meaning = "how to reach the API server; the next three options replace what it says",
            .shown_default = "the pod's service account"},
    Setting{
        .key = "apiServer",
        .owner = Owner::kDaemon,
        .type = Type::kText,
        .many = true,
        .help = "URL of the API server; may be given several times, for when one does not answer",
        .meaning =
            "URL of the API server. May be given several times, for when one does not answer"},
    Setting{.key = "caFile",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "CA certificates of the API server, PEM",
            .meaning = "CA certificates of the API server, PEM"},
    Setting{.key = "tokenFile",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "Bearer token, read for every request",
            .meaning = "bearer token, read for every request"},
    Setting{.key = "insecureSkipTlsVerify",
            .owner = Owner::kDaemon,
            .type = Type::kFlag,
            .help = "Do not verify the API server's certificate: for tests alone",
            .meaning = "the API server's certificate is not verified: whoever answers is trusted. "
                       "Without this option, a kubeconfig that says the same is refused"},
    Setting{
        .key = "startupTaint",
        .owner = Owner::kDaemon,
        .type = Type::kText,
        .help = "Key of a taint that is removed from this node's Node once it can take pods",
        .meaning = "key of a taint that is removed from this node's Node once it can take pods"},
    Setting{
        .key = "routing",
        .owner = Owner::kDaemon,
        .type = Type::kChoice,
        .fallback = "auto",
        .allowed = "auto|direct|vxlan",
        .help = "How the pods of other nodes are reached. auto: directly where the node is on a "
                "link of this one, else by VXLAN; direct: never by VXLAN; vxlan: always",
        .meaning =
            "how the pods of other nodes are reached. `auto`: directly where a node has an address "
            "on a link of this one, else by VXLAN, for each node and family. `direct`: never by "
            "VXLAN; the routers on the way have to know the PodCIDRs. `vxlan`: always by VXLAN. "
            "May differ from node to node. A restart may change it, and no connection is lost"},
    Setting{.key = "vxlanPort",
            .owner = Owner::kDaemon,
            .type = Type::kNumber,
            .fallback = "8472",
            .least = 1,
            .most = 65535,
            .help = "UDP port of the tunnel, the same on all nodes; IANA's is 4789",
            .meaning = "UDP port of the tunnel, the same on all nodes. 8472 is the kernel's own "
                       "default; some hypervisors take IANA's 4789 for tunnels of their own. A "
                       "firewall between the nodes has to let the port through"},
    Setting{.key = "vxlanVni",
            .owner = Owner::kDaemon,
            .type = Type::kNumber,
            .fallback = "84",
            .least = 1,
            .most = 16777215,
            .help = "Network identifier of the tunnel, the same on all nodes",
            .meaning = "network identifier of the tunnel, the same on all nodes"},
    Setting{.key = "vxlanChecksumOffload",
            .owner = Owner::kDaemon,
            .type = Type::kChoice,
            .fallback = "auto",
            .allowed = "auto|on|off",
            .help = "Whether checksums inside the tunnel are left to the NIC. auto: unless a test "
                    "with another node shows that it gets them wrong",
            .meaning =
                "whether checksums inside the tunnel are left to the NIC: `on`, `off`, or `auto`. "
                "`auto`: on, unless a test with another node shows that the NIC gets them wrong"},
    Setting{.key = "probePort",
            .owner = Owner::kDaemon,
            .type = Type::kNumber,
            .fallback = "8484",
            .least = 0,
            .most = 65535,
            .help = "UDP port by which nodes test whether pods' packets get through, the same on "
                    "all nodes; 0: they do not",
            .meaning = "UDP port by which the nodes test each other, the same on all nodes: "
                       "whether packets of pods get there and back. `0`: this node does not test, "
                       "and does not answer"},
    Setting{.key = "clusterCidr",
            .owner = Owner::kDaemon,
            .type = Type::kNetwork,
            .many = true,
            .help = "Network of the cluster's pods, kubeadm's podSubnet; a PodCIDR outside is "
                    "refused. May be given several times",
            .meaning = "network of the cluster's pods, as kubeadm's `podSubnet`. A PodCIDR outside "
                       "is refused by name. May be given several times. [Which claims are refused "
                       "without it](kubernetes.md#what-a-node-object-may-claim)"},
    Setting{.key = "serviceCidr",
            .owner = Owner::kDaemon,
            .type = Type::kNetwork,
            .many = true,
            .help = "Network of the cluster's Services, kubeadm's serviceSubnet; a PodCIDR that "
                    "overlaps it is refused. May be given several times",
            .meaning = "network of the Services. A PodCIDR that overlaps it is refused by name. "
                       "May be given several times. In a pod, a PodCIDR that contains "
                       "`$KUBERNETES_SERVICE_HOST` is refused in any case"},
    Setting{.key = "nodeCidr",
            .owner = Owner::kDaemon,
            .type = Type::kNetwork,
            .many = true,
            .help = "Network of the nodes' addresses; an InternalIP outside is refused. May be "
                    "given several times",
            .meaning = "network of the nodes' addresses. An InternalIP outside is refused by name. "
                       "May be given several times"},
    Setting{
        .key = "masquerade",
        .owner = Owner::kDaemon,
        .type = Type::kFlag,
        .fallback = "on",
        .help = "on or off: what pods send to the outside of the cluster has the node's address",
        .meaning = "what pods send to the outside of the cluster gets the node's address "
                   "(nftables, table `inet kube-cni`). Packets to pods, and to nodes by the first "
                   "InternalIP of each family, keep the pod's address"},
    Setting{
        .key = "forwardRules",
        .owner = Owner::kDaemon,
        .type = Type::kFlag,
        .fallback = "on",
        .help = "on or off: accept this node's pods in chains of nftables and iptables that drop "
                "what is forwarded by their policy",
        .meaning = "where a chain drops forwarded packets by its policy (`iptables -P FORWARD "
                   "DROP`, as Docker and ufw set it), rules at its end accept what comes from and "
                   "goes to this node's pods. The chain's other rules come first. `off`: such a "
                   "chain is reported and left alone"},
    Setting{
        .key = "acceptRa",
        .owner = Owner::kDaemon,
        .type = Type::kFlag,
        .fallback = "on",
        .help = "on or off: devices to other nodes keep IPv6 routes that they learn from routers",
        .meaning = "a node that forwards IPv6 forgets the default route that it learned from a "
                   "router's advertisements. With IPv6 pods, `accept_ra` of each device that leads "
                   "to other nodes becomes 2 where it was 1, so that the route stays. `off`: the "
                   "setting is left alone"},
    Setting{.key = "nonMasqueradeCidr",
            .owner = Owner::kDaemon,
            .type = Type::kNetwork,
            .many = true,
            .help = "Outside network to which pods keep their address; may be given several times",
            .meaning =
                "an outside network to which pods keep their address; may be given several times"},
    Setting{.key = "cniConfDir",
            .owner = Owner::kDaemon,
            .type = Type::kPath,
            .help = "The runtime's folder of network configurations; without it none is written",
            .meaning = "the runtime's folder of network configurations. The daemon keeps its list "
                       "there, once the node can take pods"},
    Setting{.key = "cniConfName",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .fallback = "10-kube-cni.conflist",
            .help = "The list's file there; the runtime takes the first file by name",
            .meaning = "the list's file; the runtime takes the first one by name"},
    Setting{
        .key = "pluginBinary",
        .owner = Owner::kDaemon,
        .type = Type::kPath,
        .help = "The program kube-cni to keep installed there; unset: none is installed",
        .meaning = "the program `kube-cni`, which the daemon then keeps installed for the runtime"},
    Setting{.key = "cniBinDir",
            .owner = Owner::kDaemon,
            .type = Type::kPath,
            .fallback = "/opt/cni/bin",
            .help = "The runtime's folder of plugins",
            .meaning = "the runtime's folder of plugins"},
    Setting{
        .key = "metricsAddress",
        .owner = Owner::kDaemon,
        .type = Type::kText,
        .fallback = "127.0.0.1:9484",
        .help = "ADDRESS:PORT for /metrics, /healthz and /readyz, without encryption or login; off",
        .meaning = "where `/metrics`, `/healthz` and `/readyz` are served, without login: an IP "
                   "address with a port, or `off`; see [metrics.md](metrics.md)"},
    Setting{.key = "logLevel",
            .owner = Owner::kDaemon,
            .type = Type::kChoice,
            .fallback = "info",
            .allowed = "error|warn|info|debug",
            .help = "error, warn, info, debug",
            .meaning = "`error`, `warn`, `info`, `debug`"},
    Setting{.key = "cni.name",
            .owner = Owner::kList,
            .type = Type::kText,
            .fallback = "k8s-pod-network",
            .meaning = "the network's name. Leases belong to it: do not change it while pods run"},
    Setting{.key = "cni.chain",
            .owner = Owner::kList,
            .type = Type::kOther,
            .meaning = "the plugins after kube-cni, each with its own configuration, which is "
                       "passed on as it is"},
    Setting{.key = "cni.capabilities",
            .owner = Owner::kList,
            .type = Type::kOther,
            .meaning = "what the runtime shall tell kube-cni of a pod",
            .shown_default = "`bandwidth` if the plugin `bandwidth` is in the chain"},
};

// The parts of one setting; none of these compiles for a key that is not in the table.

consteval const Setting& plugin_setting(std::string_view key) {
  for (const Setting& setting : kSettings)
    if (setting.key == key && is_of_plugin(setting)) return setting;
  throw "no setting of the plugin";
}

consteval const Setting& daemon_setting(std::string_view key) {
  for (const Setting& setting : kSettings)
    if (setting.key == key && is_of_daemon(setting)) return setting;
  throw "no setting of the daemon";
}

consteval std::string_view default_of(std::string_view key) {
  for (const Setting& setting : kSettings)
    if (setting.key == key && !setting.fallback.empty()) return setting.fallback;
  throw "no setting with a default";
}

consteval unsigned default_number(std::string_view key) {
  unsigned number = 0;
  for (const char digit : default_of(key))
    number = number * 10 + static_cast<unsigned>(digit - '0');
  return number;
}

}  // namespace kubecni
