/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All programs. This list feeds the build (bpf/CMakeLists.txt reads the
 * names), the exits (enum kubecni_programs), the attach table
 * (userspace/dataplane/program.hpp) and `kube-cnictl status`. Tests compare
 * docs/architecture.md and the loaded programs with it. */
#ifndef KUBECNI_PROGRAMS_H
#define KUBECNI_PROGRAMS_H

/* Columns: the name, also of the file bpf/NAME.bpf.c; the hook; the kind of
 * device; the maps ("flows" stands for flows4 and flows6).
 *
 * A device gets its programs in this order and loses them in reverse. The
 * program that watches the kernel path comes first: once the other one
 * redirects, every kernel flow must be seen. */
#define KUBECNI_PROGRAMS(X)                                                                        \
	X(to_pod, TO_POD, TC_EGRESS, POD,                                                          \
	  "endpoints exit_counts flows map_generation node_cidrs node_config pod_ifaces")          \
	X(from_pod, FROM_POD, TC_INGRESS, POD,                                                     \
	  "endpoints exit_counts flows map_generation node_cidrs node_config pacers "              \
	  "pacing_devices pod_ifaces")                                                             \
	X(to_wire, TO_WIRE, TC_EGRESS, WIRE,                                                       \
	  "endpoints exit_counts flows map_generation node_cidrs node_config")                     \
	X(from_wire, FROM_WIRE, TC_INGRESS, WIRE,                                                  \
	  "endpoints exit_counts flows map_generation node_cidrs node_config")                     \
	X(to_tunnel, TO_TUNNEL, TC_EGRESS, TUNNEL,                                                 \
	  "endpoints exit_counts flows map_generation node_cidrs node_config")                     \
	X(from_tunnel, FROM_TUNNEL, TC_INGRESS, TUNNEL,                                            \
	  "endpoints exit_counts flows map_generation node_cidrs node_config tunnel_peers")

enum kubecni_program {
#define X(name, NAME, hook, device, maps) KUBECNI_PROGRAM_##NAME,
	KUBECNI_PROGRAMS(X)
#undef X
};

/* Where a program runs. The ingress of a device is what the pod, the wire or
 * the tunnel sends. */
enum kubecni_hook {
	KUBECNI_HOOK_TC_INGRESS,
	KUBECNI_HOOK_TC_EGRESS,
};

/* The kinds of device that have programs. */
enum kubecni_device {
	KUBECNI_ON_POD,	   /* the host end of a pod's veth */
	KUBECNI_ON_WIRE,   /* the node's NIC */
	KUBECNI_ON_TUNNEL, /* the VXLAN device */
};

#endif /* KUBECNI_PROGRAMS_H */
