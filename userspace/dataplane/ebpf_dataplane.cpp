#include "dataplane/ebpf_dataplane.hpp"

#include <utility>

namespace kubecni {

Result<EbpfDataplane> EbpfDataplane::open(const std::filesystem::path& bpffs,
                                          const std::filesystem::path& run_dir,
                                          const LoadOptions& options) {
  return open_or_load(&open_loaded, bpffs, run_dir, options);
}

Result<EbpfDataplane> EbpfDataplane::open_loaded(const std::filesystem::path& bpffs) {
  auto pods = PodDataplane::open_loaded(bpffs);
  if (!pods) return fail(pods);
  auto programs = ProgramStore::open(bpffs, {KUBECNI_ON_WIRE, KUBECNI_ON_TUNNEL});
  if (!programs) return fail(programs, "eBPF dataplane");
  auto node_cidrs = open_node_cidrs(bpffs);
  if (!node_cidrs) return fail(node_cidrs, "eBPF dataplane");
  auto tunnel_peers = open_tunnel_peers(bpffs);
  if (!tunnel_peers) return fail(tunnel_peers, "eBPF dataplane");
  auto node_config = NodeConfig::open(bpffs);
  if (!node_config) return fail(node_config, "eBPF dataplane");
  auto pacing_devices = open_pacing_devices(bpffs);
  if (!pacing_devices) return fail(pacing_devices, "eBPF dataplane");
  return EbpfDataplane{std::move(*pods),        std::move(*programs),
                       std::move(*node_cidrs),  std::move(*tunnel_peers),
                       std::move(*node_config), std::move(*pacing_devices)};
}

}  // namespace kubecni
