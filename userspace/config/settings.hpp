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
            .meaning = "the cluster's pod network; if it is set, `subnet` must be a part of it"},
    Setting{.key = "subnet",
            .owner = Owner::kPlugin,
            .type = Type::kNetwork,
            .meaning = "network of this node's pods; its first address is the gateway's",
            .shown_default = "what `kube-cnid` has learned: the first PodCIDR of each family"},
    Setting{.key = "ipam.ranges",
            .owner = Owner::kPlugin,
            .type = Type::kOther,
            .meaning = "replaces `subnet`, in the form of `host-local`: a list of sets, "
                       "`[[{\"subnet\", \"rangeStart\", \"rangeEnd\", \"gateway\"}, ...], ...]`. A "
                       "pod gets one address of each set, from the first range of the set that has "
                       "a free one. A single range may be given in `ipam` itself"},
    Setting{.key = "ipam.type",
            .owner = Owner::kPlugin,
            .type = Type::kOther,
            .meaning = "an IPAM plugin that allocates in place of kube-cni: `host-local`, "
                       "`static`, `dhcp` or any other in `CNI_PATH`. That plugin reads the rest of "
                       "`ipam`. If it supports only older versions of the specification, kube-cni "
                       "calls it with the highest version that both support"},
    Setting{.key = "ipam.migrateFrom",
            .owner = Owner::kPlugin,
            .type = Type::kOther,
            .fallback = "/var/lib/cni/networks",
            .meaning = "data folder of a `host-local` plugin that this node used before. The "
                       "addresses of its pods stay reserved until DEL or GC frees them, or the "
                       "node reboots. `\"\"` or `false`: no such folder is read"},
    Setting{.key = "bridge",
            .owner = Owner::kBoth,
            .type = Type::kInterface,
            .fallback = "cni0",
            .help = "The pods' bridge",
            .meaning = "the pods' bridge; kube-cni makes it if it is missing"},
    Setting{.key = "uplink",
            .owner = Owner::kPlugin,
            .type = Type::kInterface,
            .meaning = "an Ethernet device of the node, like the VLAN sub-interface `eth0.100`, "
                       "that becomes a port of the bridge, so that pods are in the network behind "
                       "it: [An uplink](kubernetes.md#an-uplink). `bridge` has to be the network's "
                       "own, and `ipam` has to say which addresses of it pods get"},
    Setting{.key = "mode",
            .owner = Owner::kBoth,
            .type = Type::kChoice,
            .fallback = "bridge",
            .allowed = "bridge|ptp",
            .help = "bridge: pods are ports of the bridge; ptp: a link of its own leads to each "
                    "pod, and the node routes; holds for new pods",
            .meaning = "`bridge`: pods are ports of the bridge. `ptp`: there is no bridge; the "
                       "node has a route to each pod, and the gateway's address is on the host "
                       "end of each veth. It holds for new pods; see "
                       "[architecture.md](architecture.md#without-a-bridge)"},
    Setting{.key = "isGateway",
            .owner = Owner::kPlugin,
            .type = Type::kFlag,
            .meaning =
                "whether the bridge has the gateway's address. In mode `ptp` the host ends have "
                "it, and `false` is refused",
            .shown_default = "`false` with `dhcp` or `uplink`, else `true`"},
    Setting{.key = "isDefaultGateway",
            .owner = Owner::kPlugin,
            .type = Type::kFlag,
            .meaning =
                "whether the pod gets default routes to the gateway. Not set: for each family "
                "in which the pod has no default route by another interface yet. `true`: "
                "always; they come before the routes of the pod's other interfaces, which apply "
                "again after DEL. `false`: only if `ipam` names a default route"},
    Setting{.key = "mtu",
            .owner = Owner::kPlugin,
            .type = Type::kNumber,
            .least = 576,
            .most = 65535,
            .help = "an MTU in bytes",
            .meaning = "bytes, 576 to 65535",
            .shown_default = "that of the `uplink`, or what `kube-cnid` has learned, else 1500"},
    Setting{.key = "dataplane",
            .owner = Owner::kBoth,
            .type = Type::kChoice,
            .fallback = "auto",
            .allowed = "auto|ebpf|bridge",
            .help = "auto: eBPF if it can be loaded, else the kernel path; ebpf: eBPF, or exit; "
                    "bridge: the kernel path only",
            .meaning = "`auto`: eBPF if it can be loaded, else the kernel path; the log and "
                       "`kube-cnictl status` say why. `ebpf`: eBPF; if it cannot be loaded, ADD "
                       "fails and says why. `bridge`: the kernel path only"},
    Setting{.key = "podHooks",
            .owner = Owner::kPlugin,
            .type = Type::kChoice,
            .fallback = "auto",
            .allowed = "auto|tcx|clsact",
            .meaning =
                "how programs are attached to pods' veths. `clsact`: by filters; a pod starts "
                "six times as fast. `tcx`: by links (kernel 6.6 or later), which work beside "
                "every other plugin. `auto`: by filters if the network's list of plugins has "
                "only kube-cni, `portmap`, `tuning`, `firewall` and `sbr`; else by links"},
    Setting{.key = "confDir",
            .owner = Owner::kPlugin,
            .type = Type::kPath,
            .fallback = "/etc/cni/net.d",
            .meaning = "the runtime's folder of network configurations"},
    Setting{.key = "stateDir",
            .owner = Owner::kBoth,
            .type = Type::kPath,
            .fallback = "/var/lib/kube-cni",
            .help = "Folder for what has to survive a reboot",
            .meaning = "folder for leases and attachments; it survives a reboot"},
    Setting{
        .key = "runDir",
        .owner = Owner::kBoth,
        .type = Type::kPath,
        .fallback = "/run/kube-cni",
        .help = "Folder for locks and status",
        .meaning = "folder for locks, the daemon's status and the counters of the plugin's calls"},
    Setting{.key = "bpffs",
            .owner = Owner::kBoth,
            .type = Type::kPath,
            .fallback = "/sys/fs/bpf/kube-cni",
            .help = "Folder for the pinned programs and maps",
            .meaning = "folder for the pinned programs and maps. If a folder below `/sys/fs/bpf` "
                       "is not on a bpf file system, kube-cni mounts one on `/sys/fs/bpf`"},
    Setting{.key = "maxFlows",
            .owner = Owner::kBoth,
            .type = Type::kNumber,
            .fallback = "131072",
            .least = 1024,
            .most = 4194304,
            .help = "Flows that each of the two flow caches has room for",
            .meaning = "flows that each of the two flow caches, `flows4` and `flows6`, has room "
                       "for. A full cache forgets the flows that were not used for the longest "
                       "time, and eBPF decides about them again. One takes some 300 bytes. "
                       "Caches that exist keep their size, until the node reboots or `cleanup` "
                       "removes them"},
    Setting{.key = "logLevel",
            .owner = Owner::kPlugin,
            .type = Type::kChoice,
            .fallback = "warn",
            .allowed = "error|warn|info|debug",
            .meaning =
                "`error`, `warn`, `info` or `debug`; the log goes to standard error. By default, "
                "the plugin logs nothing for a pod that succeeds"},
    Setting{.key = "policyTimeout",
            .owner = Owner::kPlugin,
            .type = Type::kNumber,
            .fallback = "10",
            .least = 1,
            .most = 100,
            .help = "a number of seconds",
            .meaning = "seconds that ADD waits until the network policies of the pod are in force; "
                       "then it answers code 11, and the runtime tries again later"},
    Setting{.key = "dns",
            .owner = Owner::kPlugin,
            .type = Type::kOther,
            .meaning = "DNS settings, which the result passes on"},
    Setting{.key = "runtimeConfig.bandwidth",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .meaning = "limits for one pod, see [Bandwidth](#bandwidth)"},
    Setting{.key = "runtimeConfig.ipRanges",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .meaning = "ranges for one pod, which replace the configured ones"},
    Setting{
        .key = "runtimeConfig.ips",
        .owner = Owner::kRuntime,
        .type = Type::kOther,
        .meaning =
            "addresses for one pod; also accepted as `args.cni.ips`, and as `IP` in `CNI_ARGS`"},
    Setting{.key = "runtimeConfig.mac",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .meaning =
                "a MAC for one pod; also accepted as `args.cni.mac`, and as `MAC` in `CNI_ARGS`"},
    Setting{.key = "runtimeConfig.portMappings",
            .owner = Owner::kRuntime,
            .type = Type::kOther,
            .meaning = "host ports for one pod, see [Host ports](#host-ports)"},

    // The daemon's.
    Setting{.key = "nodeName",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "Name of this node's Node object (default: the host name in lower case, as "
                    "kubelet uses it)",
            .meaning = "name of this node's Node object",
            .shown_default = "the host name in lower case, as kubelet uses it"},
    Setting{.key = "nodeSource",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "Where the nodes come from: kubernetes, or file:PATH with the output of "
                    "`kubectl get nodes -o json`",
            .meaning = "where the nodes come from. `kubernetes`: LIST, then WATCH. `file:PATH`: "
                       "the output of `kubectl get nodes -o json`. The daemon watches the file, so "
                       "an edit takes effect at once"},
    Setting{.key = "policyFile",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "File with the network policies, pods and namespaces: the output of `kubectl "
                    "get networkpolicies,pods,namespaces -A -o json` (default: the API server)",
            .meaning = "where network policies, pods and namespaces come from: the output of "
                       "`kubectl get networkpolicies,pods,namespaces -A -o json`. The daemon "
                       "watches the file, so an edit takes effect at once",
            .shown_default = "the API server; without one, there are no policies"},
    Setting{
        .key = "kubeconfig",
        .owner = Owner::kDaemon,
        .type = Type::kText,
        .help = "Kubeconfig for the API server (default: the pod's service account)",
        .meaning =
            "kubeconfig that says how to reach the API server; the next three options override it",
        .shown_default = "the pod's service account"},
    Setting{
        .key = "apiServer",
        .owner = Owner::kDaemon,
        .type = Type::kText,
        .many = true,
        .help = "URL of the API server; may be given several times, in case one does not answer",
        .meaning =
            "URL of the API server; may be given several times, in case one does not answer"},
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
    Setting{
        .key = "insecureSkipTlsVerify",
        .owner = Owner::kDaemon,
        .type = Type::kFlag,
        .help = "Do not verify the API server's certificate; only for tests",
        .meaning =
            "the API server's certificate is not verified, so that any server is trusted; only for "
            "tests. Without this option, the daemon refuses a kubeconfig that asks for the same"},
    Setting{.key = "startupTaint",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "Key of a taint that the daemon removes from this node's Node object once the "
                    "node can take pods",
            .meaning = "key of a taint that the daemon removes from this node's Node object once "
                       "the node can take pods"},
    Setting{
        .key = "routing",
        .owner = Owner::kDaemon,
        .type = Type::kChoice,
        .fallback = "auto",
        .allowed = "auto|direct|vxlan|bgp",
        .help =
            "How to reach the pods of other nodes. auto: directly if the node has an address on a "
            "link of this one, else by VXLAN; direct: never by VXLAN; vxlan: always by VXLAN; bgp: "
            "by the routes that BIRD learns, else by VXLAN",
        .meaning = "how this node reaches the pods of other nodes. `auto`: for each node and "
                   "family, directly if the other node has an address on a link of this one, else "
                   "by VXLAN. `direct`: never by VXLAN; routers between the nodes have to know the "
                   "PodCIDRs. `vxlan`: always by VXLAN. `bgp`: by the routes that BIRD learns, see "
                   "[bgp.md](bgp.md). Nodes may have different values. A restart may change the "
                   "value, and no connection is lost"},
    Setting{.key = "bgpAs",
            .owner = Owner::kDaemon,
            .type = Type::kNumber,
            .fallback = "64512",
            .least = 1,
            .most = 4294967294,
            .help = "With --routing bgp: number of the nodes' autonomous system",
            .meaning = "with `--routing bgp`: number of the nodes' autonomous system"},
    Setting{.key = "bgpPeer",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .many = true,
            .help = "ADDRESS[@AS][,port=PORT][,password-file=PATH] of a router or route reflector "
                    "to speak BGP with; without AS, that of the nodes. May be given several times",
            .meaning =
                "a router or route reflector to speak BGP with: "
                "`ADDRESS[@AS][,port=PORT][,password-file=PATH]`. Without `AS`, it is of the "
                "nodes' own system. The file has the password of the session (TCP MD5, RFC "
                "2385). May be given several times"},
    Setting{.key = "bgpMesh",
            .owner = Owner::kDaemon,
            .type = Type::kFlag,
            .fallback = "on",
            .help = "on or off: speak BGP with each other node; off: with --bgp-peer alone",
            .meaning = "this node speaks BGP with each other node. `off`: only with each "
                       "`--bgp-peer`, like route reflectors"},
    Setting{.key = "bgpPasswordFile",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .help = "File with the password of the sessions between the nodes (TCP MD5), the same "
                    "on all nodes",
            .meaning = "file with the password of the sessions between the nodes (TCP MD5, RFC "
                       "2385), the same on all nodes",
            .shown_default = "no password"},
    Setting{.key = "bgpPort",
            .owner = Owner::kDaemon,
            .type = Type::kNumber,
            .fallback = "179",
            .least = 1,
            .most = 65535,
            .help = "TCP port of the nodes for BGP, the same on all nodes",
            .meaning = "TCP port on which the nodes speak BGP, the same on all nodes. Choose "
                       "another port than 179 if the node has a BGP speaker of its own"},
    Setting{.key = "bgpHoldTime",
            .owner = Owner::kDaemon,
            .type = Type::kNumber,
            .fallback = "90",
            .least = 3,
            .most = 65535,
            .help = "Seconds without a message after which a BGP session ends",
            .meaning = "seconds without a message after which a BGP session ends. The smaller "
                       "value of both ends counts"},
    Setting{.key = "bgpKeepaliveTime",
            .owner = Owner::kDaemon,
            .type = Type::kNumber,
            .least = 1,
            .most = 65534,
            .help = "Seconds between messages of an idle BGP session (default: a third of the hold "
                    "time)",
            .meaning = "seconds between messages of an idle BGP session",
            .shown_default = "a third of the hold time"},
    Setting{.key = "bgpFallback",
            .owner = Owner::kDaemon,
            .type = Type::kChoice,
            .fallback = "vxlan",
            .allowed = "vxlan|none",
            .help = "How to reach the pods of a node to which BIRD has no route. vxlan: through "
                    "the tunnel; none: not at all",
            .meaning = "how this node reaches pods to which BIRD has no route. `vxlan`: through "
                       "the tunnel, for which the pods' MTU leaves room. `none`: not at all; the "
                       "node is reported"},
    Setting{.key = "vxlanPort",
            .owner = Owner::kDaemon,
            .type = Type::kNumber,
            .fallback = "8472",
            .least = 1,
            .most = 65535,
            .help = "UDP port of the tunnel, the same on all nodes; IANA's is 4789",
            .meaning = "UDP port of the tunnel, the same on all nodes. 8472 is the kernel's "
                       "default; some hypervisors use IANA's 4789 for their own tunnels. A "
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
            .help = "Whether the NIC computes checksums inside the tunnel. auto: yes, unless a "
                    "test with another node shows that it gets them wrong",
            .meaning =
                "whether the NIC computes checksums inside the tunnel: `on`, `off` or `auto`. "
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
            .help = "Network of the cluster's pods (kubeadm: podSubnet); a PodCIDR outside is "
                    "refused. May be given several times",
            .meaning = "network of the cluster's pods (kubeadm: `podSubnet`). The daemon refuses "
                       "and reports a PodCIDR outside. May be given several times. [What the "
                       "daemon refuses without it](kubernetes.md#what-a-node-object-may-claim)"},
    Setting{.key = "serviceCidr",
            .owner = Owner::kDaemon,
            .type = Type::kNetwork,
            .many = true,
            .help = "Network of the cluster's Services (kubeadm: serviceSubnet); a PodCIDR that "
                    "overlaps it is refused. May be given several times",
            .meaning =
                "network of the cluster's Services (kubeadm: `serviceSubnet`). The daemon refuses "
                "and reports a PodCIDR that overlaps it. May be given several times. A daemon in a "
                "pod always refuses a PodCIDR that contains `$KUBERNETES_SERVICE_HOST`"},
    Setting{.key = "nodeCidr",
            .owner = Owner::kDaemon,
            .type = Type::kNetwork,
            .many = true,
            .help = "Network of the nodes' addresses; an InternalIP outside is refused. May be "
                    "given several times",
            .meaning = "network of the nodes' addresses. The daemon refuses and reports an "
                       "InternalIP outside. May be given several times"},
    Setting{.key = "masquerade",
            .owner = Owner::kDaemon,
            .type = Type::kFlag,
            .fallback = "on",
            .help = "on or off: whether what pods send out of the cluster gets the node's address",
            .meaning = "whether what pods send out of the cluster gets the node's address "
                       "(nftables, table `inet kube-cni`). Packets to pods keep the pod's address, "
                       "and so do packets to the first InternalIP of each family of a node"},
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
    Setting{.key = "networkPolicy",
            .owner = Owner::kDaemon,
            .type = Type::kFlag,
            .fallback = "on",
            .help = "on or off: enforce the cluster's network policies",
            .meaning = "the cluster's network policies are enforced. `off`: pods and policies are "
                       "not even watched"},
    Setting{.key = "policyDenied",
            .owner = Owner::kDaemon,
            .type = Type::kChoice,
            .fallback = "drop",
            .allowed = "drop|reject",
            .help = "What a pod hears of a packet that its policies do not let out. drop: nothing; "
                    "reject: ICMP says that it is prohibited",
            .meaning = "what a pod hears of a packet that its policies do not let out. `drop`: "
                       "nothing, so a client waits until it times out. `reject`: an ICMP error, so "
                       "a client fails soon"},
    Setting{.key = "policyLog",
            .owner = Owner::kDaemon,
            .type = Type::kFlag,
            .fallback = "off",
            .help = "on or off: log packets that network policies deny, with the pods' names; some "
                    "ten a second",
            .meaning = "packets that network policies deny are logged with the names of the pods: "
                       "ten a second at most, and twenty after a pause"},
    Setting{.key = "acceptRa",
            .owner = Owner::kDaemon,
            .type = Type::kFlag,
            .fallback = "on",
            .help = "on or off: the node's devices keep IPv6 routes that they learn from routers",
            .meaning =
                "a node that forwards IPv6 forgets the default route that it learned from a "
                "router's advertisements. With IPv6 pods, the daemon therefore sets `accept_ra` "
                "from 1 to 2 on devices with such a route or one of the node's IPv6 addresses. "
                "`off`: the setting is left alone"},
    Setting{.key = "nonMasqueradeCidr",
            .owner = Owner::kDaemon,
            .type = Type::kNetwork,
            .many = true,
            .help = "Network outside of the cluster to which pods send with their own address; may "
                    "be given several times",
            .meaning = "network outside of the cluster to which pods send with their own address; "
                       "may be given several times"},
    Setting{.key = "cniConfDir",
            .owner = Owner::kDaemon,
            .type = Type::kPath,
            .help = "The runtime's folder of network configurations; unset: the daemon writes no "
                    "list of plugins",
            .meaning = "the runtime's folder of network configurations. Once the node can take "
                       "pods, the daemon keeps its list of plugins there. Not set: it writes none"},
    Setting{.key = "cniConfName",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .fallback = "10-kube-cni.conflist",
            .help = "File name of the list of plugins; the runtime uses the first file by name",
            .meaning = "file name of the list of plugins; the runtime uses the first file by name"},
    Setting{.key = "pluginBinary",
            .owner = Owner::kDaemon,
            .type = Type::kPath,
            .help = "The program kube-cni, which the daemon keeps installed in --cni-bin-dir; "
                    "unset: it installs none",
            .meaning = "the program `kube-cni`, which the daemon keeps installed in "
                       "`--cni-bin-dir`. Not set: it installs none"},
    Setting{.key = "cniBinDir",
            .owner = Owner::kDaemon,
            .type = Type::kPath,
            .fallback = "/opt/cni/bin",
            .help = "The runtime's folder of plugins",
            .meaning = "the runtime's folder of plugins"},
    Setting{.key = "metricsAddress",
            .owner = Owner::kDaemon,
            .type = Type::kText,
            .fallback = "127.0.0.1:9484",
            .help = "ADDRESS:PORT at which /metrics, /healthz and /readyz are served, without "
                    "encryption or login; or off",
            .meaning =
                "where `/metrics`, `/healthz` and `/readyz` are served, without encryption or "
                "login: an IP address with a port, or `off`; see [metrics.md](metrics.md)"},
    Setting{
        .key = "healthAddress",
        .owner = Owner::kDaemon,
        .type = Type::kText,
        .fallback = "127.0.0.1:9485",
        .help = "ADDRESS:PORT at which /healthz and /readyz alone are served, for the kubelet's "
                "probes; or off",
        .meaning =
            "where a thread of its own serves `/healthz` and `/readyz`, so that clients of "
            "`/metrics` cannot delay the kubelet's probes; an IP address with a port, or `off`"},
    Setting{.key = "logLevel",
            .owner = Owner::kDaemon,
            .type = Type::kChoice,
            .fallback = "info",
            .allowed = "error|warn|info|debug",
            .help = "error, warn, info or debug",
            .meaning = "`error`, `warn`, `info` or `debug`"},
    Setting{.key = "cni.name",
            .owner = Owner::kList,
            .type = Type::kText,
            .fallback = "k8s-pod-network",
            .meaning =
                "the network's name. Leases belong to this name: do not change it while pods run"},
    Setting{
        .key = "cni.chain",
        .owner = Owner::kList,
        .type = Type::kOther,
        .meaning =
            "the plugins after kube-cni: the configuration of each, which is passed on unchanged"},
    Setting{.key = "cni.capabilities",
            .owner = Owner::kList,
            .type = Type::kOther,
            .meaning = "the capabilities for which the runtime tells kube-cni the values of a pod, "
                       "in `runtimeConfig`",
            .shown_default =
                "`bandwidth`; `portMappings`, unless the plugin `portmap` in the chain "
                "has it"},
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
