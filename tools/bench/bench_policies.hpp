#pragma once

#include "base/ip.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni::bench {

/// A pod as the API server has it.
struct BenchPod {
  std::string name;
  std::string node;
  IpAddr addr;
  std::string app;  ///< a label
};

/// Of all pods, policies and peers here.
inline constexpr const char* kBenchNamespace = "bench";

nlohmann::json make_bench_namespace();
/// Of the namespace kBenchNamespace, with labels like those of a Deployment.
nlohmann::json make_bench_pod(const BenchPod& pod);
/// Selects one pod in both directions, and allows what pods with the label `peer_app` send to it
/// and get from it, on any port.
nlohmann::json make_bench_policy(const std::string& name, const std::string& pod,
                                 const std::string& peer_app);

/// Isolates all pods in both directions, and allows nothing.
nlohmann::json make_bench_denial();

/// Two pods that talk, and others that fill a node.
struct PoliciedPods {
  BenchPod client, server;
  std::vector<BenchPod> others;
};

/// Each pod has `policies` of them. The last one lets client and server talk, the others allow what
/// does not exist. A list as kubectl prints it.
nlohmann::json make_bench_objects(const PoliciedPods& pods, unsigned policies);

/// The same for Debian's plugins, as an operator would write it for nft: a verdict map, and a chain
/// of as many rules for each pod. A rule at the front lets pass what conntrack knows.
std::string equivalent_rules(const PoliciedPods& pods, unsigned policies);

}  // namespace kubecni::bench
