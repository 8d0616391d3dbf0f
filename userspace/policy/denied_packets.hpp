#pragma once

#include "policy/live_table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kubecni {

/// Packets that a chain has dropped or rejected since it was made, of both families and in both
/// directions of their flows.
struct DeniedPackets {
  std::string chain;      ///< without the suffix of a family; "judge": for all pods
  std::string direction;  ///< "ingress" or "egress" of the pods; "any": of the chain judge
  /// The policies that isolate ("a/b, a/c"); of the chain judge, the reason. Long lists are cut.
  std::string reason;
  std::uint64_t packets = 0;

  bool operator==(const DeniedPackets&) const = default;
};

/// What the table's rules have counted, sorted. Pure.
std::vector<DeniedPackets> denied_packets(const LiveTable& table);

}  // namespace kubecni
