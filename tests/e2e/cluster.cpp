#include "cluster.hpp"

#include "base/file.hpp"

#include <filesystem>

namespace kubecni::test {

namespace {
constexpr const char* kNodesFile = "/run/kube-cni-test/nodes.json";
}

Cluster::Cluster(const std::string& dataplane)
    : a("node-a", "10.200.1.0/24", dataplane), b("node-b", "10.200.2.0/24", dataplane) {
  wire.connect(a, "192.0.2.1/24");
  wire.connect(b, "192.0.2.2/24");
  write_nodes(two_nodes());
  daemon_a.emplace(start_daemon(a));
  daemon_b.emplace(start_daemon(b));
  if (!eventually([&] { return knows_cidr(a, "10.200.2.0/24") && knows_cidr(b, "10.200.1.0/24"); }))
    throw std::runtime_error("the daemons do not get ready: " + daemon_a->err() + daemon_b->err());
  pod_a.emplace(a.add_pod("pod-a"));
  pod_b.emplace(b.add_pod("pod-b"));
}

std::vector<nlohmann::json> Cluster::two_nodes() {
  return {make_node("node-a", "192.0.2.1", "10.200.1.0/24"),
          make_node("node-b", "192.0.2.2", "10.200.2.0/24")};
}

void Cluster::write_nodes(const std::vector<nlohmann::json>& nodes) const {
  write_file(make_node_list(nodes).dump());
}

void Cluster::write_file(const std::string& text) const {
  must(write_file_atomically(kNodesFile, text));
}

Process Cluster::start_daemon(const Node& node) const {
  return node.start_daemon({"--node-source", std::string("file:") + kNodesFile});
}

bool has_route(const Node& node, const std::string& cidr) {
  return !node.must_run({"ip", "route", "show", cidr, "proto", "84"}).empty();
}

bool has_map_entry(const Node& node, const std::string& cidr) {
  auto dataplane = EbpfDataplane::open_loaded(node.bpffs());
  if (!dataplane) return false;
  return must(dataplane->node_cidrs()).contains(IpNet::parse(cidr).value());
}

bool knows_cidr(const Node& node, const std::string& cidr) {
  if (!has_route(node, cidr)) return false;
  if (node.conf()["dataplane"] == "bridge") return true;
  return has_map_entry(node, cidr) &&
         std::filesystem::exists(PinPaths(node.bpffs()).links / "eth0_from_wire");
}

}  // namespace kubecni::test
