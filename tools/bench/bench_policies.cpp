#include "bench/bench_policies.hpp"

namespace kubecni::bench {

using nlohmann::json;

namespace {

std::vector<BenchPod> all_of(const PoliciedPods& pods) {
  std::vector<BenchPod> all{pods.client, pods.server};
  all.insert(all.end(), pods.others.begin(), pods.others.end());
  return all;
}

/// With whom the pod may talk.
const BenchPod& partner_of(const BenchPod& pod, const PoliciedPods& pods) {
  return pod.name == pods.client.name ? pods.server : pods.client;
}

}  // namespace

json make_bench_namespace() {
  return {{"apiVersion", "v1"},
          {"kind", "Namespace"},
          {"metadata",
           {{"name", kBenchNamespace},
            {"labels", {{"kubernetes.io/metadata.name", kBenchNamespace}}}}}};
}

json make_bench_pod(const BenchPod& pod) {
  return {
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata",
       {{"name", pod.name},
        {"namespace", kBenchNamespace},
        {"labels", {{"app", pod.app}, {"pod", pod.name}, {"pod-template-hash", "5d59d67564"}}}}},
      {"spec", {{"nodeName", pod.node}}},
      {"status",
       {{"phase", "Running"},
        {"podIP", pod.addr.str()},
        {"podIPs", json::array({json{{"ip", pod.addr.str()}}})}}}};
}

json make_bench_policy(const std::string& name, const std::string& pod,
                       const std::string& peer_app) {
  const auto rules = [&](const char* direction) {
    const json peer{{"podSelector", {{"matchLabels", {{"app", peer_app}}}}}};
    return json::array({json{{direction, json::array({peer})}}});
  };
  return {{"apiVersion", "networking.k8s.io/v1"},
          {"kind", "NetworkPolicy"},
          {"metadata", {{"name", name}, {"namespace", kBenchNamespace}}},
          {"spec",
           {{"podSelector", {{"matchLabels", {{"pod", pod}}}}},
            {"policyTypes", json::array({"Ingress", "Egress"})},
            {"ingress", rules("from")},
            {"egress", rules("to")}}}};
}

json make_bench_denial() {
  return {{"apiVersion", "networking.k8s.io/v1"},
          {"kind", "NetworkPolicy"},
          {"metadata", {{"name", "deny-all"}, {"namespace", kBenchNamespace}}},
          {"spec",
           {{"podSelector", json::object()}, {"policyTypes", json::array({"Ingress", "Egress"})}}}};
}

json make_bench_objects(const PoliciedPods& pods, unsigned policies) {
  json items = json::array({make_bench_namespace()});
  for (const BenchPod& pod : all_of(pods)) {
    items.push_back(make_bench_pod(pod));
    for (unsigned i = 1; i < policies; ++i)
      items.push_back(make_bench_policy(pod.name + "-" + std::to_string(i), pod.name,
                                        "nobody-" + std::to_string(i)));
    if (policies > 0)
      items.push_back(make_bench_policy(pod.name + "-talks", pod.name, partner_of(pod, pods).app));
  }
  return {{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}};
}

std::string equivalent_rules(const PoliciedPods& pods, unsigned policies) {
  std::string chains, ingress, egress;
  for (const BenchPod& pod : all_of(pods)) {
    for (const auto& [prefix, keyword] : {std::pair{"in_", "saddr"}, std::pair{"eg_", "daddr"}}) {
      chains += std::string("\tchain ") + prefix + pod.name + " {\n";
      for (unsigned i = 1; i < policies; ++i)
        chains += std::string("\t\tip ") + keyword + " 10.99.0." + std::to_string(i) + " accept\n";
      chains += std::string("\t\tip ") + keyword + " " + partner_of(pod, pods).addr.str() +
                " accept\n\t\tcounter drop\n\t}\n";
    }
    ingress += (ingress.empty() ? "" : ", ") + pod.addr.str() + " : jump in_" + pod.name;
    egress += (egress.empty() ? "" : ", ") + pod.addr.str() + " : jump eg_" + pod.name;
  }
  return "table inet policies {\n" + chains +
         "\tchain forward {\n"
         "\t\ttype filter hook forward priority filter; policy accept;\n"
         "\t\tct state established,related accept\n"
         "\t\tip saddr vmap { " +
         egress + " }\n\t\tip daddr vmap { " + ingress + " }\n\t}\n}\n";
}

}  // namespace kubecni::bench
