#include "daemon/status_file.hpp"

#include "base/file.hpp"
#include "state/files.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace kubecni {

using nlohmann::json;

namespace {

json skipped_json(const std::vector<SkippedNode>& skipped) {
  json list = json::array();
  for (const SkippedNode& node : skipped)
    list.push_back({{"name", node.name}, {"reason", node.reason}});
  return list;
}

json warnings_json(const std::vector<NodeWarning>& warnings) {
  json list = json::array();
  for (const NodeWarning& warning : warnings)
    list.push_back({{"name", warning.name}, {"text", warning.text}});
  return list;
}

json own_cidrs(const ClusterView& view) {
  json cidrs = json::array();
  if (view.self) {
    for (const IpNet& cidr : view.self->pod_cidrs) cidrs.push_back(cidr.str());
  }
  return cidrs;
}

json cni_json(const CniState& cni) {
  return {{"list", cni.list},       {"hasList", cni.has_list},
          {"pending", cni.pending}, {"cniVersion", cni.cni_version},
          {"plugins", cni.plugins}, {"warnings", cni.warnings}};
}

}  // namespace

Result<> write_status(const std::filesystem::path& run_dir, const std::string& node_name,
                      const std::string& source, const std::string& source_error,
                      const std::string& metrics, const ClusterView& view,
                      const ReconcileReport& report) {
  json nodes = json::array();
  for (const PeerPath& path : report.desired.paths)
    nodes.push_back({{"name", path.node},
                     {"podCIDR", path.cidr.str()},
                     {"kind", path.kind == PathKind::kVxlan ? "vxlan" : "direct"},
                     {"nextHop", path.next_hop.str()},
                     {"device", path.device.name},
                     {"mtu", path.mtu},
                     {"why", path.why}});
  json wires = json::array();
  for (const auto& [name, device] : report.desired.wires) wires.push_back(name);
  json skipped = skipped_json(view.skipped);
  for (auto& entry : skipped_json(report.desired.unreachable)) skipped.push_back(entry);

  json warnings = warnings_json(view.warnings);
  for (auto& entry : warnings_json(report.desired.warnings)) warnings.push_back(entry);

  const json status{{"pid", ::getpid()},
                    {"version", KUBECNI_VERSION},
                    {"nodeName", node_name},
                    {"known", view.self.has_value()},
                    {"podCIDRs", own_cidrs(view)},
                    {"mtu", report.desired.mtu},
                    {"source", source},
                    {"sourceError", source_error},
                    {"metrics", metrics},
                    {"dataplane", report.dataplane},
                    {"fallbackReason", report.fallback_reason},
                    {"wires", wires},
                    {"noConntrackReason", report.no_conntrack_reason},
                    {"tunnelChecksumOffload", report.offload},
                    {"nodes", nodes},
                    {"skipped", skipped},
                    {"warnings", warnings},
                    {"cni", cni_json(report.cni)},
                    {"errors", report.errors}};
  return write_file_atomically(run_dir / kStatusFile,
                               status.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace kubecni
