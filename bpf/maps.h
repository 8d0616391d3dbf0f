/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of include/kubecni/maps.h. They are weak: each program's object
 * may hold all of them, and the linker merges them. */
#ifndef KUBECNI_BPF_MAPS_H
#define KUBECNI_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "kubecni/maps.h"

#define X(name, map_type, flags, capacity, key_type, value_type)                                   \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_##map_type);                                             \
		__uint(map_flags, flags);                                                          \
		__uint(max_entries, capacity);                                                     \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} name __weak SEC(".maps");
KUBECNI_MAPS(X)
#undef X

#endif /* KUBECNI_BPF_MAPS_H */
