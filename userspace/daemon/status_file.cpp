#include "daemon/status_file.hpp"

#include "state/daemon_status.hpp"

#include <unistd.h>

namespace kubecni {

namespace {

void add_skipped(std::vector<SkippedStatus>& list, const std::vector<SkippedNode>& skipped) {
  for (const SkippedNode& node : skipped) list.push_back({node.name, node.reason});
}

void add_warnings(std::vector<WarningStatus>& list, const std::vector<NodeWarning>& warnings) {
  for (const NodeWarning& warning : warnings) list.push_back({warning.name, warning.text});
}

PathStatus status_of(const PeerPath& path) {
  return {.name = path.node,
          .pod_cidr = path.cidr.str(),
          .kind = path.kind == PathKind::kVxlan ? "vxlan" : "direct",
          .next_hop = path.next_hop.str(),
          .device = path.device.name,
          .mtu = path.mtu,
          .why = path.why};
}

}  // namespace

Result<> write_status(const std::filesystem::path& run_dir, const std::string& node_name,
                      const std::string& source, const std::string& source_error,
                      const std::string& metrics, const ClusterView& view,
                      const ReconcileReport& report) {
  DaemonStatus status;
  status.pid = static_cast<unsigned>(::getpid());
  status.version = KUBECNI_VERSION;
  status.node_name = node_name;
  status.known = view.self.has_value();
  if (view.self)
    for (const IpNet& cidr : view.self->pod_cidrs) status.pod_cidrs.push_back(cidr.str());
  status.mtu = report.desired.mtu;
  status.source = source;
  status.source_error = source_error;
  status.metrics = metrics;
  status.dataplane = report.dataplane;
  status.fallback_reason = report.fallback_reason;
  for (const auto& [name, device] : report.desired.wires) status.wires.push_back(name);
  status.no_conntrack_reason = report.no_conntrack_reason;
  status.tunnel_checksum_offload = report.offload;
  for (const PeerPath& path : report.desired.paths) status.nodes.push_back(status_of(path));
  add_skipped(status.skipped, view.skipped);
  add_skipped(status.skipped, report.desired.unreachable);
  add_warnings(status.warnings, view.warnings);
  add_warnings(status.warnings, report.desired.warnings);
  status.cni = report.cni;
  status.errors = report.errors;
  return write_daemon_status(run_dir, status);
}

}  // namespace kubecni
