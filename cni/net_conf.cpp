#include "net_conf.hpp"

#include "base/json.hpp"
#include "cni_env.hpp"

#include <algorithm>

namespace kubecni {

using nlohmann::json;

namespace {

constexpr unsigned kMinMtu = 576;  // what every IPv4 host takes, RFC 791
constexpr unsigned kMaxMtu = 65535;

std::string supported_list() {
  std::string text;
  for (const auto version : kSupportedVersions)
    text += (text.empty() ? "" : ", ") + std::string(version);
  return text;
}

/// Reads typed keys of the configuration and keeps the first error.
class KeyReader {
 public:
  explicit KeyReader(const json& conf) : conf_(conf) {}

  template <typename Target>
  void text(const char* key, Target& target) {
    const json* value = present(key);
    if (!value) return;
    if (!value->is_string() || value->get_ref<const std::string&>().empty())
      return note(wrong_value(key, *value, "a non-empty string"));
    target = value->get<std::string>();
  }

  void ifname(const char* key, std::string& target) {
    text(key, target);
    if (!is_ifname(target))
      note(wrong_value(key, target,
                       "an interface name: 1 to 15 characters without '/', ':' and blanks"));
  }

  void absolute_path(const char* key, std::filesystem::path& target) {
    text(key, target);
    if (const json* value = present(key); value && !target.is_absolute())
      note(wrong_value(key, *value, "an absolute path"));
  }

  void cidr(const char* key, std::optional<IpNet>& target) {
    const json* value = present(key);
    if (!value) return;
    auto net = read_cidr(key, *value);
    if (!net) return note(std::unexpected(std::move(net.error())));
    target = *net;
  }

  void mtu(const char* key, std::optional<unsigned>& target) {
    const json* value = present(key);
    if (!value) return;
    if (!value->is_number_unsigned() || *value < kMinMtu || *value > kMaxMtu)
      return note(wrong_value(key, *value, "an MTU in bytes, 576 to 65535"));
    target = value->get<unsigned>();
  }

  void boolean(const char* key, bool& target) {
    const json* value = present(key);
    if (!value) return;
    if (!value->is_boolean()) return note(wrong_value(key, *value, "true or false"));
    target = value->get<bool>();
  }

  void boolean(const char* key, std::optional<bool>& target) {
    bool value = target.value_or(false);
    boolean(key, value);
    if (present(key)) target = value;
  }

  void pod_hooks(const char* key, std::optional<AttachKind>& target) {
    std::string word = "auto";
    text(key, word);
    if (word == "tcx")
      target = AttachKind::kTcx;
    else if (word == "clsact")
      target = AttachKind::kClsact;
    else if (word != "auto")
      note(wrong_value(key, word, "one of \"auto\", \"tcx\", \"clsact\""));
  }

  void log_level(const char* key, std::string& target) {
    constexpr std::array kLevels{"error", "warn", "info", "debug"};
    text(key, target);
    if (std::ranges::find(kLevels, target) == kLevels.end())
      note(wrong_value(key, target, R"(one of "error", "warn", "info", "debug")"));
  }

  void dataplane(const char* key, DataplaneMode& target) {
    std::string word = "auto";
    text(key, word);
    if (word == "auto")
      target = DataplaneMode::kAuto;
    else if (word == "ebpf")
      target = DataplaneMode::kEbpf;
    else if (word == "bridge")
      target = DataplaneMode::kBridge;
    else
      note(wrong_value(key, word, "one of \"auto\", \"ebpf\", \"bridge\""));
  }

  /// GC's list. libcni writes null for an empty one, and repeats it under the
  /// older key "cni.dev/attachments", which is not looked at.
  void attachments(const char* key, std::optional<std::vector<LeaseOwner>>& target) {
    const auto value = conf_.find(key);
    if (value == conf_.end()) return;
    if (!value->is_array() && !value->is_null()) return note(wrong_value(key, *value, "a list"));
    std::vector<LeaseOwner> owners;
    for (const json& entry : *value) {
      const bool complete = entry.is_object() && entry.contains("containerID") &&
                            entry["containerID"].is_string() && entry.contains("ifname") &&
                            entry["ifname"].is_string();
      if (!complete)
        return note(wrong_value(key, entry, "an attachment with \"containerID\" and \"ifname\""));
      owners.push_back({entry["containerID"], entry["ifname"]});
    }
    target = std::move(owners);
  }

  void ipam(const char* key, IpamConf& target) {
    const json* value = present(key);
    if (!value) return;
    auto read = parse_ipam_conf(*value);
    if (!read) return note(std::unexpected(std::move(read.error())));
    target = std::move(*read);
  }

  void note(std::unexpected<CniError> error) {
    if (!error_) error_ = std::move(error.error());
  }
  [[nodiscard]] const std::optional<CniError>& error() const { return error_; }

 private:
  [[nodiscard]] const json* present(const char* key) const {
    const auto found = conf_.find(key);
    return found != conf_.end() && !found->is_null() ? &*found : nullptr;
  }

  const json& conf_;
  std::optional<CniError> error_;
};

void check_subnet_lies_in_network(const std::optional<IpNet>& subnet,
                                  const std::optional<IpNet>& network, KeyReader& reader) {
  if (subnet && network && !network->contains(*subnet))
    reader.note(cni_error(CniCode::kInvalidConfig,
                          "\"subnet\": " + subnet->str() + " is outside \"network\" " +
                              network->str() + "; a node's subnet is a part of the network"));
}

void check_subnet_is_given_once(const NetConf& conf, KeyReader& reader) {
  if (conf.subnet && !conf.ipam.ranges.empty())
    reader.note(cni_error(CniCode::kInvalidConfig,
                          "\"subnet\" and \"ipam\" both say which addresses pods get; give one"));
}

CniResult<> check_version(const json& version) {
  if (version.is_string() &&
      std::ranges::find(kSupportedVersions, version.get_ref<const std::string&>()) !=
          kSupportedVersions.end())
    return {};
  return cni_error(CniCode::kIncompatibleVersion,
                   "\"cniVersion\" " + shown(version) + " is not supported",
                   "supported are " + supported_list());
}

CniResult<> check_name(const json& conf) {
  const auto name = conf.find("name");
  if (name == conf.end())
    return cni_error(CniCode::kInvalidConfig, "\"name\" is missing; give the network a name");
  if (!name->is_string() || !is_cni_id(name->get<std::string>()))
    return wrong_value(
        "name", *name,
        "a network name: letters, digits, '_', '.', '-', the first a letter or digit");
  return {};
}

}  // namespace

bool is_at_least(std::string_view version, std::string_view other) {
  return std::ranges::find(kSupportedVersions, version) >=
         std::ranges::find(kSupportedVersions, other);
}

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
        CniCode::kDecode, "standard input is no JSON object",
        (read ? "" : read.error().what + "; ") + "it begins with: " + text.substr(0, 80));
  // A configuration without a version is one of 0.1.0, as libcni has it.
  if (auto checked = check_version(conf.value("cniVersion", json("0.1.0"))); !checked)
    return std::unexpected(checked.error());
  if (auto checked = check_name(conf); !checked) return std::unexpected(checked.error());

  NetConf parsed{.cni_version = conf.value("cniVersion", "0.1.0"), .name = conf["name"]};
  std::optional<IpNet> network;
  KeyReader reader(conf);
  reader.ifname("bridge", parsed.bridge);
  reader.mtu("mtu", parsed.mtu);
  reader.dataplane("dataplane", parsed.dataplane);
  reader.absolute_path("stateDir", parsed.state_dir);
  reader.absolute_path("runDir", parsed.run_dir);
  reader.absolute_path("bpffs", parsed.bpffs);
  reader.absolute_path("confDir", parsed.conf_dir);
  reader.pod_hooks("podHooks", parsed.pod_hooks);
  reader.log_level("logLevel", parsed.log_level);
  reader.cidr("network", network);
  reader.cidr("subnet", parsed.subnet);
  reader.attachments("cni.dev/valid-attachments", parsed.valid_attachments);
  check_subnet_lies_in_network(parsed.subnet, network, reader);
  reader.ipam("ipam", parsed.ipam);
  check_subnet_is_given_once(parsed, reader);
  // What dhcp names is a router of the network behind the bridge.
  parsed.is_gateway = parsed.ipam.type != "dhcp";
  reader.boolean("isGateway", parsed.is_gateway);
  reader.boolean("isDefaultGateway", parsed.is_default_gateway);
  if (reader.error()) return std::unexpected(*reader.error());
  if (conf.contains("dns") && conf["dns"].is_object()) parsed.dns = conf["dns"];
  parsed.runtime_config = conf.value("runtimeConfig", json());
  if (conf.contains("args") && conf["args"].is_object())
    parsed.cni_args = conf["args"].value("cni", json());
  parsed.prev_result = member(conf, "prevResult");
  parsed.raw = conf;
  parsed.text = text;
  return parsed;
}

}  // namespace kubecni
