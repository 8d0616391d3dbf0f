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

struct SkippedStatus {
  std::string name;
  std::string reason;
};

struct WarningStatus {
  std::string name;
  std::string text;
};

/// How it stands with the list of plugins that the container runtime reads.
struct CniState {
  std::string list;                   ///< its path; empty: the daemon was not asked for one
  bool has_list = false;              ///< it is there
  std::string pending;                ///< why it is not, or not as it should be
  std::string cni_version;            ///< the highest that a runtime may choose
  std::vector<std::string> plugins;   ///< in the list, in its order
  std::vector<std::string> warnings;  ///< what the operator may not expect
};

/// What the daemon knows and did: <run dir>/status.json.
struct DaemonStatus {
  /// Raised when a field is added. A reader takes each format: fields that it does not know
  /// are ignored, and fields that the writer did not know have their default.
  static constexpr unsigned kFormat = 1;

  unsigned format = kFormat;
  unsigned pid = 0;
  std::string version;
  std::string node_name;
  bool known = false;  ///< this node's Node object was seen, and could be used
  std::vector<std::string> pod_cidrs;
  unsigned mtu = 0;  ///< bytes, for pods
  std::string source;
  std::string source_error;  ///< empty while the source works
  std::string metrics;       ///< where they are
  std::string dataplane;     ///< "ebpf" or "bridge"
  std::string fallback_reason;
  std::vector<std::string> wires;
  std::string no_conntrack_reason;
  std::string tunnel_checksum_offload;
  std::vector<PathStatus> nodes;
  std::vector<SkippedStatus> skipped;
  std::vector<WarningStatus> warnings;
  CniState cni;
  std::vector<std::string> errors;
};

/// As it is written, and as `kube-cnictl -o json` shows it.
nlohmann::json to_json(const DaemonStatus& status);

/// Errors: EBADMSG damaged, naming the key: a value has a wrong type, or the text is of our
/// own format and a key is missing.
Result<DaemonStatus> parse_daemon_status(std::string_view text);

/// Unless the file says the same already. Errors: those of write_file_atomically().
Result<> write_daemon_status(const std::filesystem::path& run_dir, const DaemonStatus& status);

/// Empty when the daemon has not reported yet. Errors: those of read_file() and
/// parse_daemon_status().
Result<std::optional<DaemonStatus>> read_daemon_status(const std::filesystem::path& run_dir);

}  // namespace kubecni
