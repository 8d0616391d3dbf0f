#pragma once

#include "base/ip_range.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// Who allocates addresses, and the settings of kube-cni's own allocator.
struct IpamConf {
  std::string type;  ///< the plugin that allocates and reads the other keys; empty: kube-cni
  /// A pod gets an address of each set. Empty if no set is configured.
  std::vector<std::vector<Range>> ranges;
  /// The data folder of a `host-local` whose pods may still live; empty: none.
  std::filesystem::path migrate_from = default_of("ipam.migrateFrom");
};

/// Reads the `host-local` keys that define addresses: "ranges", and the short form of one range:
/// "subnet", "rangeStart", "rangeEnd", "gateway". Also reads "migrateFrom": a folder, or "" or
/// false for none. Errors: EINVAL a key is unknown or has a wrong value; the error names it.
Result<IpamConf> parse_ipam_conf(const nlohmann::json& ipam);

/// A list of sets of ranges, as in "ipam.ranges" and "runtimeConfig.ipRanges". Errors: EINVAL,
/// naming `key`.
Result<std::vector<std::vector<Range>>> parse_range_sets(const std::string& key,
                                                         const nlohmann::json& sets);

}  // namespace kubecni
