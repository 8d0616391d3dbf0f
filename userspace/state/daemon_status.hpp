#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// How the pods of one PodCIDR are reached.
struct PathStatus {
  std::string name;  ///< of the node
  std::string pod_cidr;
  std::string kind;  ///< "direct" or "vxlan"
  std::string next_hop;
  std::string device;
  unsigned mtu = 0;  ///< bytes
  std::string why;
};

/// A session of BGP.
struct BgpSessionStatus {
  std::string name;     ///< of the node; empty: the peer is none
  std::string address;  ///< of the peer
  unsigned as = 0;      ///< likewise
  std::string state;    ///< "Established", or why it is not
};

/// Pods of another node that are not reached, or not in the way that they should be.
struct SilentPeerStatus {
  std::string name;        ///< of the node
  std::string address;     ///< that was asked
  std::string state;       ///< "silent", "unknown", or "detour": reached through the tunnel instead
  bool is_detour = false;  ///< its route leads through the tunnel instead, whatever `state`
  std::string since;       ///< RFC 3339
  std::string text;        ///< with the likely cause
};

/// What the nodes' test of each other found.
struct ProbeStatus {
  unsigned answering = 0;
  unsigned silent = 0;
  unsigned unknown = 0;  ///< never answered
  std::vector<SilentPeerStatus> peers;
};

struct SkippedStatus {
  std::string name;
  std::string reason;
};

struct WarningStatus {
  std::string name;
  std::string text;
};

/// The state of the plugin list that the container runtime reads.
struct CniState {
  std::string list;                   ///< its path; empty: none is configured
  bool has_list = false;              ///< the file exists
  std::string pending;                ///< why the list is missing or outdated
  std::string cni_version;            ///< the highest version that a runtime may choose
  std::vector<std::string> plugins;   ///< in the list, in its order
  std::vector<std::string> warnings;  ///< what the operator may not expect
};

/// What the daemon knows and did: <run dir>/status.json.
struct DaemonStatus {
  /// Raised when a field is added. A reader accepts every format: it ignores unknown fields, and
  /// missing fields keep their defaults.
  static constexpr unsigned kFormat = 3;

  unsigned format = kFormat;
  unsigned pid = 0;
  std::string version;
  std::string node_name;
  bool known = false;  ///< this node's Node object was seen, and can be used
  std::vector<std::string> pod_cidrs;
  unsigned mtu = 0;  ///< bytes, for pods
  std::string source;
  std::string source_error;  ///< empty while the source works
  std::string metrics;       ///< the URL of the metrics, or why they are not served
  std::string health;        ///< likewise, of health alone
  std::string dataplane;     ///< "ebpf" or "bridge"
  std::string fallback_reason;
  std::vector<std::string> wires;
  std::string no_conntrack_reason;
  std::string tunnel_checksum_offload;
  std::vector<PathStatus> nodes;
  std::vector<BgpSessionStatus> bgp;
  ProbeStatus probes;
  std::vector<SkippedStatus> skipped;
  std::vector<WarningStatus> warnings;
  std::vector<std::string> full_pools;  ///< what has no address for another pod, a sentence each
  CniState cni;
  std::vector<std::string> errors;
};

/// The file's content, and the output of `kube-cnictl -o json`.
nlohmann::json to_json(const DaemonStatus& status);

/// Errors: EBADMSG the text is damaged: a value has a wrong type, or a key is missing although the
/// format is ours. The error names the key.
Result<DaemonStatus> parse_daemon_status(std::string_view text);

/// Writes the file, unless it already has this content. Errors: those of write_file_atomically().
Result<> write_daemon_status(const std::filesystem::path& run_dir, const DaemonStatus& status);

/// Empty if the daemon has not reported yet. Errors: those of read_file() and
/// parse_daemon_status().
Result<std::optional<DaemonStatus>> read_daemon_status(const std::filesystem::path& run_dir);

}  // namespace kubecni
