#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"

#include <set>

namespace kubecni {

/// Links by ifindex.
struct ShapedLinks {
  std::set<unsigned> out;  ///< what they send has an explicit queueing discipline, like `tbf`
  std::set<unsigned> in;   ///< what they receive has one: `ingress`
  /// What they send leaves when its departure time has come: the root is `fq`, or `mq` with `fq`
  /// for each queue.
  std::set<unsigned> pacing;
};

/// The links with disciplines like those of the bandwidth plugin. Does not count noqueue, which is
/// none, and clsact, which only holds programs.
Result<ShapedLinks> list_shaped_links(NetlinkSocket& netlink);

}  // namespace kubecni
