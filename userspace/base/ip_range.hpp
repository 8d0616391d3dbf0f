#pragma once

#include "base/ip.hpp"

#include <optional>

namespace kubecni {

/// The configuration of one pool, with the keys of the reference plugin `host-local`: `subnet`,
/// `rangeStart`, `rangeEnd`, `gateway`.
struct Range {
  IpNet subnet;
  std::optional<IpAddr> start;    ///< the first that a pod may get; else the subnet's first
  std::optional<IpAddr> end;      ///< the last that a pod may get; else the subnet's last
  std::optional<IpAddr> gateway;  ///< else the address after the network's

  bool operator==(const Range&) const = default;
};

}  // namespace kubecni
