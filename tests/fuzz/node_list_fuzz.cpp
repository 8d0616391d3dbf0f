// A list of nodes, from the API server or from the operator's file.

#include "fuzz.hpp"
#include "k8s/node_parser.hpp"

#include <algorithm>

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto snapshot = parse_node_list(fuzz::text_from(data, size));

  if (!snapshot) {
    require(!snapshot.error().what.empty(), "a refusal says why");
    return 0;
  }
  require(std::ranges::is_sorted(snapshot->nodes), "nodes are sorted");
  require(std::ranges::adjacent_find(snapshot->nodes, {}, &Node::name) == snapshot->nodes.end(),
          "no two nodes have one name");
  for (const Node& node : snapshot->nodes) {
    require(!node.internal_ips.empty() && !node.pod_cidrs.empty(), "a node has all that is needed");
    for (const IpNet& cidr : node.pod_cidrs)
      require(cidr == cidr.network() && cidr.prefix > 0, "a PodCIDR is a part of all addresses");
  }
  for (const SkippedNode& skipped : snapshot->skipped)
    require(!skipped.reason.empty(), "a skipped node has a reason");
  return 0;
}
