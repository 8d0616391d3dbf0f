#include "policy/denied_packets.hpp"

#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace kubecni {

namespace {

/// "in_1" of "in_14", "in_16", "in_14r" and "in_16r".
std::string without_family(std::string chain) {
  if (chain.ends_with('r')) chain.pop_back();
  if (chain.ends_with('4') || chain.ends_with('6')) chain.pop_back();
  return chain;
}

}  // namespace

std::vector<DeniedPackets> denied_packets(const LiveTable& table) {
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> sums;
  for (const DropCounter& drop : table.drops()) {
    constexpr std::string_view kBefore = "no rule of ";
    const bool is_ingress = drop.chain.starts_with("in_");
    const bool is_of_pods = is_ingress || drop.chain.starts_with("eg_");
    const std::string reason =
        drop.comment.starts_with(kBefore) ? drop.comment.substr(kBefore.size()) : drop.comment;
    sums[{is_of_pods ? without_family(drop.chain) : drop.chain,
          !is_of_pods  ? "any"
          : is_ingress ? "ingress"
                       : "egress",
          reason}] += drop.packets;
  }
  std::vector<DeniedPackets> all;
  all.reserve(sums.size());
  for (const auto& [key, packets] : sums)
    all.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), packets});
  return all;
}

}  // namespace kubecni
