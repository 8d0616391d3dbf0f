#include "state/daemon_status.hpp"

#include "base/file.hpp"
#include "base/json.hpp"
#include "state/files.hpp"

#include <cerrno>
#include <concepts>

namespace kubecni {

using nlohmann::json;

namespace {

/// `Status` or `const Status`.
template <typename Status, typename Of>
concept OneOf = std::same_as<std::remove_const_t<Status>, Of>;

// each_field() visits all fields with their keys, for the writer and for the reader.

template <OneOf<PathStatus> Status>
void each_field(Status& path, auto visit) {
  visit("name", path.name);
  visit("podCIDR", path.pod_cidr);
  visit("kind", path.kind);
  visit("nextHop", path.next_hop);
  visit("device", path.device);
  visit("mtu", path.mtu);
  visit("why", path.why);
}

template <OneOf<BgpSessionStatus> Status>
void each_field(Status& session, auto visit) {
  visit("name", session.name);
  visit("address", session.address);
  visit("as", session.as);
  visit("state", session.state);
}

template <OneOf<SilentPeerStatus> Status>
void each_field(Status& peer, auto visit) {
  visit("name", peer.name);
  visit("address", peer.address);
  visit("state", peer.state);
  visit("isDetour", peer.is_detour);
  visit("since", peer.since);
  visit("text", peer.text);
}

template <OneOf<ProbeStatus> Status>
void each_field(Status& probes, auto visit) {
  visit("answering", probes.answering);
  visit("silent", probes.silent);
  visit("unknown", probes.unknown);
  visit("peers", probes.peers);
}

template <OneOf<SkippedStatus> Status>
void each_field(Status& skipped, auto visit) {
  visit("name", skipped.name);
  visit("reason", skipped.reason);
}

template <OneOf<WarningStatus> Status>
void each_field(Status& warning, auto visit) {
  visit("name", warning.name);
  visit("text", warning.text);
}

template <OneOf<CniState> Status>
void each_field(Status& cni, auto visit) {
  visit("list", cni.list);
  visit("hasList", cni.has_list);
  visit("pending", cni.pending);
  visit("cniVersion", cni.cni_version);
  visit("plugins", cni.plugins);
  visit("warnings", cni.warnings);
}

template <OneOf<DaemonStatus> Status>
void each_field(Status& status, auto visit) {
  visit("format", status.format);
  visit("pid", status.pid);
  visit("version", status.version);
  visit("nodeName", status.node_name);
  visit("known", status.known);
  visit("podCIDRs", status.pod_cidrs);
  visit("mtu", status.mtu);
  visit("source", status.source);
  visit("sourceError", status.source_error);
  visit("metrics", status.metrics);
  visit("health", status.health);
  visit("dataplane", status.dataplane);
  visit("fallbackReason", status.fallback_reason);
  visit("wires", status.wires);
  visit("noConntrackReason", status.no_conntrack_reason);
  visit("tunnelChecksumOffload", status.tunnel_checksum_offload);
  visit("nodes", status.nodes);
  visit("bgp", status.bgp);
  visit("probes", status.probes);
  visit("skipped", status.skipped);
  visit("warnings", status.warnings);
  visit("fullPools", status.full_pools);
  visit("cni", status.cni);
  visit("errors", status.errors);
}

template <typename Value>
concept Struct = requires(Value value) { each_field(value, [](auto&&...) {}); };

json json_of(const auto& value) { return value; }

template <typename Value>
json json_of(const std::vector<Value>& values);

template <Struct Value>
json json_of(const Value& value) {
  json object = json::object();
  each_field(value, [&](const char* key, const auto& field) { object[key] = json_of(field); });
  return object;
}

template <typename Value>
json json_of(const std::vector<Value>& values) {
  json list = json::array();
  for (const Value& value : values) list.push_back(json_of(value));
  return list;
}

/// Whether a missing field keeps its default, since the writer may not know the field.
enum class Absent { kIsDefault, kIsWrong };

// Each take() stores the value in `target`, or reports a wrong type.

bool take(const json& value, std::string& target, Absent) {
  target = text_of(value);
  return value.is_string();
}

bool take(const json& value, bool& target, Absent) {
  target = value == true;
  return value.is_boolean();
}

bool take(const json& value, unsigned& target, Absent) {
  const auto number = unsigned_of(value);
  target = number.value_or(0);
  return number.has_value();
}

template <typename Value>
bool take(const json& value, std::vector<Value>& target, Absent absent);

template <Struct Value>
bool take(const json& value, Value& target, Absent absent) {
  bool good = value.is_object();
  each_field(target, [&](const char* key, auto& field) {
    const json& given = member(value, key);
    if (given.is_null() && absent == Absent::kIsDefault) return;
    good = take(given, field, absent) && good;
  });
  return good;
}

template <typename Value>
bool take(const json& value, std::vector<Value>& target, Absent absent) {
  if (!value.is_array()) return false;
  for (const json& entry : value)
    if (!take(entry, target.emplace_back(), absent)) return false;
  return true;
}

}  // namespace

json to_json(const DaemonStatus& status) { return json_of(status); }

Result<DaemonStatus> parse_daemon_status(std::string_view text) {
  auto report = parse_json(text);
  if (!report) return failure(EBADMSG, "damaged: " + report.error().what);
  if (!report->is_object()) return failure(EBADMSG, "damaged: " + shown(*report));
  const bool is_ours = member(*report, "format") == DaemonStatus::kFormat;
  const Absent absent = is_ours ? Absent::kIsWrong : Absent::kIsDefault;
  DaemonStatus status{.format = 0};  // written before formats existed
  std::string wrong;
  each_field(status, [&](const char* key, auto& field) {
    const json& given = member(*report, key);
    if (given.is_null() && absent == Absent::kIsDefault) return;
    if (!take(given, field, absent) && wrong.empty())
      wrong = std::string("\"") + key + "\" is " + shown(given);
  });
  if (!wrong.empty())
    return failure(EBADMSG, "damaged: " + wrong + "; kube-cnid writes the file anew");
  return status;
}

Result<> write_daemon_status(const std::filesystem::path& run_dir, const DaemonStatus& status) {
  const std::string text =
      to_json(status).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  return update_file(run_dir / kStatusFile, text);
}

Result<std::optional<DaemonStatus>> read_daemon_status(const std::filesystem::path& run_dir) {
  const auto path = run_dir / kStatusFile;
  auto text = read_file(path);
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return fail(text);
  auto status = parse_daemon_status(*text);
  if (!status) return fail(status, path.string());
  return std::move(*status);
}

}  // namespace kubecni
