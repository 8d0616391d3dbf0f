#pragma once

#include "base/result.hpp"
#include "dataplane/node_tables.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "dataplane/program_loader.hpp"
#include "dataplane/program_store.hpp"

#include <filesystem>
#include <string>

namespace kubecni {

/// The whole eBPF path of one node, for kube-cnid, which maintains it. Other programs open the
/// parts that they need.
struct EbpfDataplane {
  /// Opens what is pinned below `bpffs`; if something is missing, calls load_and_pin() first, with
  /// its errors.
  static Result<EbpfDataplane> open(const std::filesystem::path& bpffs,
                                    const std::filesystem::path& run_dir,
                                    const LoadOptions& options = {});

  /// Opens what is pinned and loads nothing. Errors: ENOENT nothing is loaded.
  static Result<EbpfDataplane> open_loaded(const std::filesystem::path& bpffs);

  PodDataplane pods;
  ProgramStore programs;  ///< for wires and the tunnel
  NodeCidrMap node_cidrs;
  TunnelPeerMap tunnel_peers;
  NodeConfig node_config;
  PacingDeviceMap pacing_devices;
};

}  // namespace kubecni
