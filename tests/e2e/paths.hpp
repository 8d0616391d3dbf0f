#pragma once

#include "cluster.hpp"

namespace kubecni::test {

/// How packets between pods of two nodes are counted.
struct PathReasons {
  kubecni_exit_reason fast_out;
  kubecni_exit_reason fast_in;
  kubecni_exit_reason kernel_out;
};

inline PathReasons path_reasons(bool tunnel) {
  if (tunnel) return {KUBECNI_FAST_TO_TUNNEL, KUBECNI_FAST_FROM_TUNNEL, KUBECNI_KERNEL_TO_TUNNEL};
  return {KUBECNI_FAST_TO_NODE, KUBECNI_FAST_FROM_WIRE, KUBECNI_KERNEL_TO_WIRE};
}

/// Runs `traffic` between pods of the two nodes, and expects that eBPF carried at least `packets`
/// of it each way, and the kernel none; unless there is no eBPF.
template <typename Traffic>
void expect_on_ebpf(const Node& one, const Node& other, bool tunnel, unsigned packets,
                    Traffic traffic) {
  if (!one.is_ebpf() || !other.is_ebpf()) {
    traffic();
    return;
  }
  const ExitCounts before_one = one.counters();
  const ExitCounts before_other = other.counters();

  traffic();

  const PathReasons path = path_reasons(tunnel);
  for (const auto& [node, before] : {std::pair{&one, before_one}, {&other, before_other}}) {
    const ExitCounts after = node->counters();
    const std::string what = node->name() + ": " + growth(before, after);
    EXPECT_GE(grown(before, after, path.fast_out), packets) << what;
    EXPECT_GE(grown(before, after, KUBECNI_FAST_SENT_TO_WIRE), packets) << what;
    EXPECT_GE(grown(before, after, path.fast_in), packets) << what;
    EXPECT_EQ(grown(before, after, path.kernel_out), 0u) << what;
    EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << what;
  }
}

/// The same between two pods of one node.
template <typename Traffic>
void expect_on_ebpf(const Node& node, unsigned packets, Traffic traffic) {
  const ExitCounts before = node.counters();

  traffic();

  const ExitCounts after = node.counters();
  EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), packets) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
}

}  // namespace kubecni::test
