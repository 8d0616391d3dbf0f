#include "dataplane/counters.hpp"

#include "dataplane/bpf_map.hpp"
#include "dataplane/pins.hpp"

#include <bpf/libbpf.h>

#include <cerrno>
#include <vector>

namespace kubecni {

const std::array<ExitReason, KUBECNI_EXIT_REASON_COUNT> kExitReasons{{
#define X(name, verdict, programs, text) \
  {#name, KUBECNI_VERDICT_##verdict, KUBECNI_BY_##programs, text},
    KUBECNI_EXIT_REASONS(X)
#undef X
}};

Result<ExitCounts> read_exit_counts(const std::filesystem::path& bpffs) {
  return read_exit_counts_at(PinPaths(bpffs).maps / "exit_counts");
}

Result<ExitCounts> read_exit_counts_at(const std::filesystem::path& pin) {
  auto map = open_pinned_map(pin, sizeof(__u32), sizeof(kubecni_count));
  if (!map) return fail(map);
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 1) return sys_error(-cpus, "count the CPUs");
  std::vector<kubecni_count> per_cpu(static_cast<std::size_t>(cpus));
  ExitCounts sums{};
  for (__u32 reason = 0; reason < sums.size(); ++reason) {
    if (bpf_map_lookup_elem(map->get(), &reason, per_cpu.data()) != 0)
      return sys_error(errno, "read map exit_counts");
    for (const auto& count : per_cpu) {
      sums[reason].packets += count.packets;
      sums[reason].bytes += count.bytes;
    }
  }
  return sums;
}

}  // namespace kubecni
