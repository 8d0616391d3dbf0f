#pragma once

#include "k8s/endpoint_slice.hpp"
#include "k8s/kind.hpp"
#include "k8s/node_parser.hpp"
#include "k8s/node_table.hpp"

#include <chrono>

// All kinds that the daemon watches. RBAC has to allow list and watch of each.
namespace kubecni {

inline const Kind<NodeEntry, NodeTable> kNodes{
    .source = {.path = "/api/v1/nodes",
               .list_kind = "NodeList",
               .resource = "nodes",
               .kept = {"kind", "spec.podCIDR", "spec.podCIDRs", "status.addresses"}},
    .parse = node_or_reason};

/// The EndpointSlice where the API servers announce their addresses. It is optional: an account
/// without the right to see it works, too.
inline const Kind<ApiServers> kApiServers{
    .source = {.path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
               .selector = "fieldSelector=metadata.name%3Dkubernetes",
               .list_kind = "EndpointSliceList",
               .resource = "endpointslices.discovery.k8s.io",
               .kept = {"endpoints", "ports"},
               .slowest_retry = std::chrono::minutes(4)},
    .parse = parse_api_servers};

}  // namespace kubecni
