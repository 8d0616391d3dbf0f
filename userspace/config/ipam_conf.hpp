#pragma once

#include "base/ip_range.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// Who allocates addresses, and what kube-cni's own allocator is told.
struct IpamConf {
  std::string type;  ///< the plugin that does, which reads the rest itself; empty: kube-cni
  /// A pod gets an address of each set. Empty when none is configured.
  std::vector<std::vector<Range>> ranges;
  /// The data folder of a `host-local` whose pods may still live; empty: none.
  std::filesystem::path migrate_from = default_of("ipam.migrateFrom");
};

/// Reads those keys of `host-local` that say which addresses there are: "ranges",
/// and the short form "subnet", "rangeStart", "rangeEnd", "gateway" for the first
/// set; and "migrateFrom", a folder, or "" or false for none.
/// Errors: EINVAL a key has a wrong value or is unknown, naming it.
Result<IpamConf> parse_ipam_conf(const nlohmann::json& ipam);

/// A list of sets of ranges, as "ipam.ranges" and "runtimeConfig.ipRanges" have
/// it; `key` is its name in errors. Errors: EINVAL.
Result<std::vector<std::vector<Range>>> parse_range_sets(const std::string& key,
                                                         const nlohmann::json& sets);

}  // namespace kubecni
