#include "dataplane/pod_dataplane.hpp"

#include <utility>

namespace kubecni {

Result<PodDataplane> PodDataplane::open(const std::filesystem::path& bpffs,
                                        const std::filesystem::path& run_dir,
                                        const LoadOptions& options) {
  return open_or_load(&open_loaded, bpffs, run_dir, options);
}

Result<PodDataplane> PodDataplane::open_loaded(const std::filesystem::path& bpffs) {
  auto endpoints = EndpointTable::open(bpffs);
  if (!endpoints) return fail(endpoints, "eBPF dataplane");
  auto programs = ProgramStore::open(bpffs, {KUBECNI_ON_POD});
  if (!programs) return fail(programs, "eBPF dataplane");
  return PodDataplane{std::move(*programs), std::move(*endpoints)};
}

Result<std::vector<std::string>> PodDataplane::differences(const PodEndpoint& pod) const {
  auto missing = programs.missing(KUBECNI_ON_POD, pod.host);
  if (!missing) return fail(missing);
  std::vector<std::string> found;
  for (const auto& name : *missing)
    found.push_back("program " + name + " is not attached to " + pod.host.name);
  if (auto compared = endpoints.compare(pod, found); !compared) return fail(compared);
  return found;
}

Result<> remove_pod(const std::filesystem::path& bpffs, EndpointTable& endpoints,
                    const Device& host, const std::vector<IpAddr>& addresses) {
  if (auto removed = endpoints.remove(host.ifindex, addresses); !removed) return removed;
  return detach_programs(bpffs, KUBECNI_ON_POD, host);
}

}  // namespace kubecni
