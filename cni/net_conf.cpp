#include "net_conf.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "config/check.hpp"

#include <algorithm>
#include <utility>

namespace kubecni {

using nlohmann::json;

namespace {

/// The list that GC gets. libcni writes null for an empty one, and repeats it under the older key
/// "cni.dev/attachments", which is ignored.
CniResult<std::optional<std::vector<LeaseOwner>>> valid_attachments(const json& conf) {
  constexpr const char* kKey = "cni.dev/valid-attachments";
  const auto value = conf.find(kKey);
  if (value == conf.end()) return std::nullopt;
  if (!value->is_array() && !value->is_null()) return wrong_value(kKey, *value, "a list");
  std::vector<LeaseOwner> owners;
  for (const json& entry : *value) {
    const json& container = member(entry, "containerID");
    const json& ifname = member(entry, "ifname");
    if (!container.is_string() || !ifname.is_string())
      return wrong_value(kKey, entry, "an attachment with \"containerID\" and \"ifname\"");
    owners.push_back({container, ifname});
  }
  return owners;
}

CniResult<> check_version(const json& version) {
  if (version.is_string() &&
      std::ranges::find(kSupportedVersions, version.get_ref<const std::string&>()) !=
          kSupportedVersions.end())
    return {};
  return cni_error(CniCode::kIncompatibleVersion,
                   "\"cniVersion\" " + shown(version) + " is not supported",
                   "supported are " + joined(kSupportedVersions));
}

CniResult<> check_name(const json& conf) {
  const auto name = conf.find("name");
  if (name == conf.end())
    return cni_error(CniCode::kInvalidConfig, "\"name\" is missing; give the network a name");
  if (auto problem = problem_of_name(*name); !problem.empty())
    return cni_error(CniCode::kInvalidConfig, std::move(problem));
  return {};
}

}  // namespace

std::string cni_version_for_errors(const std::string& text) {
  const auto parsed = parse_json(text);
  const json conf = parsed ? *parsed : json();
  const json version =
      conf.is_object() && conf.contains("cniVersion") ? conf["cniVersion"] : json();
  if (check_version(version)) return version;
  return std::string(kSupportedVersions.back());
}

std::filesystem::path run_dir_for_counts(const std::string& text) {
  const auto parsed = parse_json(text);
  const std::filesystem::path run_dir = parsed ? text_of(member(*parsed, "runDir")) : "";
  return run_dir.is_absolute() ? run_dir : NetConf().run_dir;
}

CniResult<NetConf> parse_net_conf(const std::string& text) {
  const auto read = parse_json(text);
  const json conf = read ? *read : json();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return cni_error(CniCode::kDecode,
                     "standard input is empty; it has to be the network configuration");
  if (!conf.is_object())
    return cni_error(
        CniCode::kDecode, "standard input is not a JSON object",
        (read ? "" : read.error().what + "; ") + "it begins with: " + text.substr(0, 80));
  // A configuration without a version counts as 0.1.0, as in libcni.
  if (auto checked = check_version(conf.value("cniVersion", json("0.1.0"))); !checked)
    return std::unexpected(checked.error());
  if (auto checked = check_name(conf); !checked) return std::unexpected(checked.error());

  auto settings = read_plugin_settings(conf);
  if (!settings) return cni_error(CniCode::kInvalidConfig, settings.error().what);
  auto attachments = valid_attachments(conf);
  if (!attachments) return std::unexpected(attachments.error());
  NetConf parsed{std::move(*settings)};
  parsed.cni_version = conf.value("cniVersion", "0.1.0");
  parsed.name = conf["name"];
  parsed.valid_attachments = std::move(*attachments);
  parsed.runtime_config = conf.value("runtimeConfig", json());
  if (conf.contains("args") && conf["args"].is_object())
    parsed.cni_args = conf["args"].value("cni", json());
  parsed.prev_result = member(conf, "prevResult");
  parsed.raw = conf;
  parsed.text = text;
  return parsed;
}

}  // namespace kubecni
