#pragma once

#include "k8s/endpoint_slice.hpp"
#include "k8s/kind.hpp"
#include "k8s/network_policy.hpp"
#include "k8s/node_parser.hpp"
#include "k8s/node_table.hpp"
#include "k8s/pod.hpp"
#include "k8s/url_text.hpp"

#include <chrono>
#include <string>
#include <vector>

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

inline const Kind<NetworkPolicy> kNetworkPolicies{
    .source = {.path = "/apis/networking.k8s.io/v1/networkpolicies",
               .list_kind = "NetworkPolicyList",
               .resource = "networkpolicies.networking.k8s.io",
               .kept = {"spec"}},
    .parse = parse_network_policy};

/// Pods of all nodes. The server leaves out those that have ended: others may have their addresses.
/// One that is being deleted has not ended as long as its containers run.
inline const Kind<Pod> kPods{
    .source = {.path = "/api/v1/pods",
               .selector = "fieldSelector=status.phase%21%3DFailed%2Cstatus.phase%21%3DSucceeded",
               .list_kind = "PodList",
               .resource = "pods",
               .kept = {"metadata.uid", "metadata.ownerReferences", "metadata.labels",
                        "spec.containers", "spec.initContainers", "spec.hostNetwork",
                        "status.phase", "status.podIP", "status.podIPs"}},
    .parse = parse_pod};

/// Those of one node.
inline Kind<Pod> pods_of(const std::string& node) {
  Kind<Pod> kind = kPods;
  kind.source.selector += "%2Cspec.nodeName%3D" + url_escaped(node);
  return kind;
}

/// Those of all other nodes, and of none yet. Nobody asks for their UIDs.
inline Kind<Pod> pods_elsewhere_than(const std::string& node) {
  Kind<Pod> kind = kPods;
  kind.source.selector += "%2Cspec.nodeName%21%3D" + url_escaped(node);
  for (const char* field : {"metadata.uid", "metadata.ownerReferences"})
    std::erase(kind.source.kept, field);
  return kind;
}

inline const Kind<Namespace> kNamespaces{.source = {.path = "/api/v1/namespaces",
                                                    .list_kind = "NamespaceList",
                                                    .resource = "namespaces",
                                                    .kept = {"metadata.labels"}},
                                         .parse = parse_namespace};

}  // namespace kubecni
