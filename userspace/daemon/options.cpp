#include "daemon/options.hpp"

#include "base/file.hpp"
#include "config/check.hpp"
#include "config/settings_file.hpp"
#include "control/install/conf_list.hpp"
#include "metrics/listen_address.hpp"

#include <CLI/CLI.hpp>

#include <limits.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>

namespace kubecni {

namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;  // a ConfigMap has at most 1 MiB

std::string check_network(const std::string& text) {
  const auto cidr = IpNet::parse(text);
  return cidr && *cidr == cidr->network() ? ""
                                          : "\"" + text + "\" is not a network like 10.0.0.0/8";
}

std::string check_list_name(const std::string& name) {
  const std::filesystem::path path(name);
  const bool is_list = path == path.filename() && path.extension() == ".conflist";
  return is_list ? "" : "\"" + name + "\" is not a file name that ends in .conflist";
}

std::string check_listen_address(const std::string& text) {
  if (text.empty() || text == "off") return "";
  const auto parsed = ListenAddress::parse(text);
  return parsed ? "" : parsed.error().what;
}

std::string check_bgp_peer(const std::string& text) {
  const auto parsed = parse_bgp_peer(text);
  return parsed ? "" : parsed.error().what;
}

/// Checks the word as the type of the setting says.
void check_by_type(CLI::Option& option, const Setting& setting) {
  if (setting.type == Type::kNumber) option.check(CLI::Range(setting.least, setting.most));
  if (setting.type == Type::kNetwork) option.check(check_network);
  if (setting.type == Type::kInterface)
    option.check([&setting](const std::string& text) { return problem_of(setting, text); });
  if (setting.type == Type::kChoice) option.check(CLI::IsMember(words_of(setting)));
}

/// Adds the option of one setting, with help and default of the table.
template <typename Target>
CLI::Option& add(CLI::App& app, const Setting& setting, Target& target) {
  const std::string name = "--" + option_name(setting);
  const std::string help(setting.help);
  if constexpr (std::is_same_v<Target, bool>)
    if (setting.fallback.empty()) return *app.add_flag(name, target, help);
  CLI::Option& option = *app.add_option(name, target, help);
  if constexpr (!std::is_enum_v<Target>) check_by_type(option, setting);
  if (!setting.fallback.empty()) option.default_str(std::string(setting.fallback));
  return option;
}

std::string check_node_source(const std::string& source) {
  constexpr std::string_view kFile = "file:";
  const bool is_file = source.starts_with(kFile) && source.size() > kFile.size();
  return is_file || source == "kubernetes"
             ? ""
             : "\"" + source + "\" is neither file:PATH nor kubernetes";
}

/// The options on how nodes are reached, and on what leaves the cluster.
void add_network_options(CLI::App& app, DaemonOptions& options) {
  static const std::map<std::string, Routing> kRoutings{{"auto", Routing::kAuto},
                                                        {"direct", Routing::kDirect},
                                                        {"vxlan", Routing::kVxlan},
                                                        {"bgp", Routing::kBgp}};
  constexpr const Setting& kRouting = daemon_setting("routing");
  add(app, kRouting, options.routing)
      .transform(CLI::CheckedTransformer(kRoutings).description(std::string(kRouting.allowed)));
  add(app, daemon_setting("vxlanPort"), options.tunnel.port);
  add(app, daemon_setting("vxlanVni"), options.tunnel.vni);
  add(app, daemon_setting("vxlanChecksumOffload"), options.tunnel.checksum_offload);
  add(app, daemon_setting("probePort"), options.probe_port);
  add(app, daemon_setting("networkPolicy"), options.network_policy);
  add(app, daemon_setting("policyDenied"), options.policy_denied);
  add(app, daemon_setting("policyLog"), options.policy_log);
  add(app, daemon_setting("masquerade"), options.masquerade);
  add(app, daemon_setting("forwardRules"), options.forward_rules);
  add(app, daemon_setting("acceptRa"), options.accept_ra);
}

/// `peers` takes each --bgp-peer as a text.
void add_bgp_options(CLI::App& app, BgpOptions& options, std::vector<std::string>& peers) {
  add(app, daemon_setting("bgpAs"), options.as);
  add(app, daemon_setting("bgpPeer"), peers).check(check_bgp_peer);
  add(app, daemon_setting("bgpMesh"), options.mesh);
  add(app, daemon_setting("bgpPasswordFile"), options.password_file);
  add(app, daemon_setting("bgpPort"), options.port);
  add(app, daemon_setting("bgpHoldTime"), options.hold_time);
  add(app, daemon_setting("bgpKeepaliveTime"), options.keepalive_time);
  add(app, daemon_setting("bgpFallback"), options.fallback);
}

/// Throws CLI::ValidationError.
void take_bgp_peers(const std::vector<std::string>& texts, BgpOptions& options) {
  for (const std::string& text : texts) options.peers.push_back(parse_bgp_peer(text).value());
  if (const auto wrong = contradiction_in(options); !wrong.empty())
    throw CLI::ValidationError("--routing bgp", wrong);
}

/// The cluster's networks, as texts of the command line.
struct NetworkTexts {
  std::vector<std::string> clusters, services, nodes, non_masquerade;
};

std::vector<IpNet> networks_in(const std::vector<std::string>& texts) {
  std::vector<IpNet> networks;
  networks.reserve(texts.size());
  for (const std::string& text : texts) networks.push_back(IpNet::parse(text).value());
  return networks;
}

void add_cluster_options(CLI::App& app, NetworkTexts& texts) {
  add(app, daemon_setting("clusterCidr"), texts.clusters);
  add(app, daemon_setting("serviceCidr"), texts.services);
  add(app, daemon_setting("nodeCidr"), texts.nodes);
  add(app, daemon_setting("nonMasqueradeCidr"), texts.non_masquerade);
}

/// Throws CLI::ValidationError.
void take_networks(const NetworkTexts& texts, DaemonOptions& options) {
  options.rules = {.cluster_cidrs = networks_in(texts.clusters),
                   .service_cidrs = networks_in(texts.services),
                   .node_cidrs = networks_in(texts.nodes),
                   .service_host = {}};
  options.non_masquerade_cidrs = networks_in(texts.non_masquerade);
  if (const char* host = ::getenv("KUBERNETES_SERVICE_HOST"))
    options.rules.service_host = IpAddr::parse(host);
  if (const auto wrong = contradiction_in(options.rules); !wrong.empty())
    throw CLI::ValidationError("--cluster-cidr", wrong);
}

/// The options on what the container runtime needs.
void add_cni_options(CLI::App& app, CniOptions& options) {
  add(app, daemon_setting("cniConfDir"), options.conf_dir);
  add(app, daemon_setting("cniConfName"), options.conf_name).check(check_list_name);
  add(app, daemon_setting("cniBinDir"), options.bin_dir);
  add(app, daemon_setting("pluginBinary"), options.plugin_binary);
}

/// The options on this node's name, and on the source of the others.
void add_source_options(CLI::App& app, DaemonOptions& options) {
  add(app, daemon_setting("nodeName"), options.node_name);
  add(app, daemon_setting("nodeSource"), options.node_source).check(check_node_source);
  add(app, daemon_setting("policyFile"), options.policy_file);
  add(app, daemon_setting("kubeconfig"), options.api.kubeconfig);
  add(app, daemon_setting("apiServer"), options.api.api_servers);
  add(app, daemon_setting("caFile"), options.api.ca_file);
  add(app, daemon_setting("tokenFile"), options.api.token_file);
  add(app, daemon_setting("insecureSkipTlsVerify"), options.api.insecure_skip_tls_verify);
  add(app, daemon_setting("startupTaint"), options.startup_taint);
}

/// The options on this node's dataplane, folders, metrics and log.
void add_node_options(CLI::App& app, DaemonOptions& options) {
  add(app, daemon_setting("dataplane"), options.dataplane);
  add(app, daemon_setting("stateDir"), options.state_dir);
  add(app, daemon_setting("runDir"), options.run_dir);
  add(app, daemon_setting("bpffs"), options.bpffs);
  add(app, daemon_setting("maxFlows"), options.max_flows);
  add(app, daemon_setting("bridge"), options.bridge);
  add(app, daemon_setting("mode"), options.mode);
  add(app, daemon_setting("metricsAddress"), options.metrics_address).check(check_listen_address);
  add(app, daemon_setting("healthAddress"), options.health_address).check(check_listen_address);
  add(app, daemon_setting("logLevel"), options.log_level);
}

/// Sets the options from the file, and checks the plugin's settings. Throws as CLI::App::parse();
/// the text names the file and every mistake in it.
void take_config(const std::filesystem::path& path, CLI::App& app, DaemonOptions& options) {
  Problems problems;
  if (!path.empty()) {
    const auto text = read_file(path, kMaxConfigBytes);
    const auto settings =
        text ? parse_settings(*text) : Result<nlohmann::json>(std::unexpected(text.error()));
    if (!settings) throw CLI::ValidationError("--config " + path.string(), settings.error().what);
    problems = apply_settings(*settings, app);
    if (const auto cni = settings->find(kCniSection); cni != settings->end())
      for (auto& problem : read_cni_section(*cni, options.cni))
        problems.push_back(std::move(problem));
    if (settings->contains(kCniSection) && options.cni.conf_dir.empty())
      problems.emplace_back("\"cni\" is given, but not \"cniConfDir\", the folder to write it to");
  }
  for (const auto& [option, folder] : {std::pair("--cni-conf-dir", options.cni.conf_dir),
                                       {"--cni-bin-dir", options.cni.bin_dir},
                                       {"--plugin-binary", options.cni.plugin_binary}})
    if (!folder.empty() && folder.is_relative())
      problems.push_back(std::string(option) + ": " + folder.string() + " is not an absolute path");
  // The plugin would refuse its entry for each pod.
  if (problems.empty() && !options.cni.conf_dir.empty())
    if (auto taken = check_plugin_entry(options); !taken) problems.push_back(taken.error().what);
  if (problems.empty()) return;
  std::string text;
  for (const auto& problem : problems) text += "\n  " + problem;
  throw CLI::ValidationError(path.empty() ? "--cni-conf-dir" : "--config " + path.string(), text);
}

/// The host name in lower case, which kubelet uses for a node without a configured name.
std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name.data();
}

}  // namespace

std::expected<DaemonOptions, int> parse_options(int argc, const char* const* argv) {
  DaemonOptions options;
  CLI::App app(
      "Keeps the eBPF map of the nodes' PodCIDRs and the kernel's routes equal to the "
      "cluster's Node objects.",
      "kube-cnid");
  app.set_version_flag("--version", KUBECNI_VERSION);
  std::filesystem::path config;
  app.add_option("--config", config,
                 "File with settings as a JSON object: each option in camel case, like "
                 "\"vxlanPort\", and \"cni\" for the plugin. Options override it")
      ->configurable(false);
  NetworkTexts networks;
  std::vector<std::string> bgp_peers;
  add_source_options(app, options);
  add_network_options(app, options);
  add_bgp_options(app, options.bgp, bgp_peers);
  add_cluster_options(app, networks);
  add_cni_options(app, options.cni);
  add_node_options(app, options);
  app.fallthrough();
  auto* clean_up = app.add_subcommand(
      "cleanup",
      "Removes everything of kube-cni from the node, and ends. Stop the daemon first. If there are "
      "pods, what they and the runtime need stays, and the exit status is 3");
  clean_up->add_flag("--wait", options.clean_up_waits,
                     "Looks again while there are pods, and ends when all is removed");
  try {
    app.parse(argc, argv);
    take_config(config, app, options);
    options.clean_up = clean_up->parsed();
    if (!options.clean_up) {
      if (options.node_name.empty()) options.node_name = host_name();
      if (options.node_name.empty()) throw CLI::RequiredError("--node-name");
      if (options.node_source.empty()) throw CLI::RequiredError("--node-source");
    }
    take_networks(networks, options);
    take_bgp_peers(bgp_peers, options.bgp);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error));
  }
  return options;
}

}  // namespace kubecni
