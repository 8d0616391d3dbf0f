#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni::test {

/// A `v1 Node` as the API server has it once node and PodCIDR are known.
nlohmann::json make_node(const std::string& name, const std::string& internal_ip,
                         const std::string& pod_cidr);
/// The same with several addresses and PodCIDRs, in this order.
nlohmann::json make_node(const std::string& name, const std::vector<std::string>& internal_ips,
                         const std::vector<std::string>& pod_cidrs);

/// A `v1 NodeList` of `nodes`, as a file or a page of the API has it.
nlohmann::json make_node_list(const std::vector<nlohmann::json>& nodes);

/// What a Node of a real cluster has besides, about 30 kB of it: labels, images,
/// managed fields.
nlohmann::json make_node_ballast();

}  // namespace kubecni::test
