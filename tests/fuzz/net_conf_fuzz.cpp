// The network configuration on standard input, with its requests for one pod.

#include "base/json.hpp"
#include "cni_result.hpp"
#include "fuzz.hpp"
#include "ipam/pool.hpp"
#include "requests.hpp"
#include "result_shape.hpp"

#include <algorithm>

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::text_from(data, size);

  const std::string version = cni_version_for_errors(text);
  require(std::ranges::count(kSupportedVersions, version) == 1, "an error has a version we speak");
  const auto conf = parse_net_conf(text);
  if (!conf) {
    require(!conf.error().msg.empty(), "a refusal says why");
    return 0;
  }
  require(conf->cni_version == version || conf->cni_version == "0.1.0",
          "answers have the configuration's version; without one it is of 0.1.0");
  require(is_cni_id(conf->name), "a network's name can be a file name");
  require(is_ifname(conf->bridge), "the bridge has an interface name");
  for (const auto& path : {conf->state_dir, conf->run_dir, conf->bpffs})
    require(path.is_absolute(), "paths are absolute");
  require(conf->ipam.type.empty() || is_cni_id(conf->ipam.type), "a plugin's name is not a path");
  if (conf->subnet) require(*conf->subnet == conf->subnet->network(), "a subnet has no host bits");

  auto ranges = parse_range_sets("ipRanges", member_like_go(conf->runtime_config, "ipRanges"));
  for (const auto& configured : {conf->ipam.ranges, ranges.value_or(conf->ipam.ranges)}) {
    const auto sets = pool_sets_of(configured);
    if (!sets) continue;
    for (const auto& set : *sets)
      for (const Pool& pool : set)
        require(pool.contains(pool.at(0)), "a pool has an address for a pod");
  }

  const auto requests = read_requests({}, *conf);
  if (requests && requests->mac) require((requests->mac->bytes[0] & 1) == 0, "MACs are unicast");
  if (requests)
    for (const PortMapping& mapping : requests->mappings)
      require(mapping.host_port != 0 && mapping.pod_port != 0, "a host port has both its ports");
  const auto previous = previous_result(*conf, "ADD");
  if (!previous) return 0;
  const auto result = add_result(*conf, Attachment{}, *previous, {});
  if (result) require((*result)["cniVersion"] == conf->cni_version, "a result has its version");
  return 0;
}
