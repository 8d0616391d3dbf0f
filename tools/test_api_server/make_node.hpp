#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni::test {

/// A `v1 Node` as in the API server once node and PodCIDR are known.
nlohmann::json make_node(const std::string& name, const std::string& internal_ip,
                         const std::string& pod_cidr);
/// The same with several addresses and PodCIDRs, in this order.
nlohmann::json make_node(const std::string& name, const std::vector<std::string>& internal_ips,
                         const std::vector<std::string>& pod_cidrs);

/// A `v1 NodeList` of `nodes`, as in a file or a page of the API.
nlohmann::json make_node_list(const std::vector<nlohmann::json>& nodes);

/// The other content of a Node in a real cluster, about 30 kB: labels, images, managed fields.
nlohmann::json make_node_ballast();

}  // namespace kubecni::test
