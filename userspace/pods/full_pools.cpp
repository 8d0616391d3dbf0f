#include "pods/full_pools.hpp"

#include "ipam/lease_store.hpp"

#include <algorithm>

namespace kubecni {

Result<std::vector<std::string>> find_full_pools(const PodPaths& paths,
                                                 const std::vector<IpNet>& cidrs) {
  auto networks = list_networks(paths);
  if (!networks) return fail(networks);
  std::vector<std::string> full;
  for (const std::string& network : *networks) {
    auto uses = LeaseStore(paths.state_dir, network).pools_in_use();
    if (!uses) return fail(uses);
    for (const auto& [pool, use] : *uses) {
      const bool is_ours = std::ranges::any_of(
          cidrs, [&](const IpNet& cidr) { return cidr.contains(pool.first()); });
      if (is_ours && use.used >= use.total)
        full.push_back(pool.subnet().str() +
                       " has no address for another pod: " + std::to_string(use.used) + " of " +
                       std::to_string(use.total) + " are in use");
    }
  }
  return full;
}

}  // namespace kubecni
