/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The exits of a program. A stage returns a `struct exit`: CONTINUE, or a
 * reason of the list in include/kubecni/abi.h with its verdict in that list.
 *
 * Each program defines THIS_PROGRAM, its value of enum kubecni_programs,
 * before it includes anything. A reason that the list does not allow for
 * that program does not compile. */
#ifndef KUBECNI_BPF_EXITS_H
#define KUBECNI_BPF_EXITS_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "maps.h"

_Static_assert(KUBECNI_VERDICT_PASS == TC_ACT_UNSPEC, "the kernel's number");
_Static_assert(KUBECNI_VERDICT_DROP == TC_ACT_SHOT, "the kernel's number");
_Static_assert(KUBECNI_VERDICT_REDIRECT == TC_ACT_REDIRECT, "the kernel's number");

/* Only the macros below make one, so reason and verdict always match. 64
 * bits each: clang 19 would pack smaller ones into one register. */
struct exit {
	__u64 reason;  /* enum kubecni_exit_reason */
	__s64 verdict; /* enum kubecni_verdict */
};

/* The next stage has the packet. */
#define CONTINUE ((struct exit){.reason = KUBECNI_EXIT_REASON_COUNT})

/* Uses `<`, since the verifier tracks bounds but not inequality. */
static __always_inline bool is_exit(struct exit exit)
{
	return exit.reason < KUBECNI_EXIT_REASON_COUNT;
}

#define EXIT_IF(name, is_right_verdict)                                                            \
	({                                                                                         \
		_Static_assert(KUBECNI_##name##_PROGRAMS & THIS_PROGRAM,                           \
			       #name " is not for this program");                                  \
		_Static_assert(is_right_verdict, #name " has another verdict");                    \
		(struct exit){KUBECNI_##name, KUBECNI_##name##_VERDICT};                           \
	})

/* Passed or dropped. A passed packet goes on as it came: nothing may have
 * been written to it. */
#define EXIT(name) EXIT_IF(name, KUBECNI_##name##_VERDICT != TC_ACT_REDIRECT)

/* Redirected, after a helper was told where to. Without flags, none of the
 * helpers fails. */
#define REDIRECTED(name) EXIT_IF(name, KUBECNI_##name##_VERDICT == TC_ACT_REDIRECT)

static __always_inline void count(__u32 frame_len, __u32 reason)
{
	struct kubecni_count *slot = bpf_map_lookup_elem(&exit_counts, &reason);
	if (!slot)
		return;
	/* The slot belongs to this CPU, and a program does not preempt
	 * itself. */
	slot->packets += 1;
	slot->bytes += frame_len;
}

/* What a program returns: the only place where an exit becomes a TC_ACT_*.
 * `frame_len` is as the frame came. */
static __always_inline int leave(__u32 frame_len, struct exit exit)
{
	count(frame_len, exit.reason);
	return (int)exit.verdict;
}

#endif /* KUBECNI_BPF_EXITS_H */
