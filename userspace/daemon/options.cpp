#include "daemon/options.hpp"

#include "base/file.hpp"
#include "daemon/conf_list.hpp"
#include "daemon/config_file.hpp"
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

namespace kubecni {

namespace {

constexpr std::uint32_t kMaxVni = (1U << 24) - 1;
constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;  // a ConfigMap has at most 1 MiB

std::string check_network(const std::string& text) {
  const auto cidr = IpNet::parse(text);
  return cidr && *cidr == cidr->network() ? "" : "\"" + text + "\" is no network like 10.0.0.0/8";
}

std::string check_list_name(const std::string& name) {
  const std::filesystem::path path(name);
  const bool is_list = path == path.filename() && path.extension() == ".conflist";
  return is_list ? "" : "\"" + name + "\" is no file name that ends in .conflist";
}

std::string check_metrics_address(const std::string& text) {
  if (text.empty() || text == "off") return "";
  const auto parsed = ListenAddress::parse(text);
  return parsed ? "" : parsed.error().what;
}

/// How nodes are reached, and what leaves the cluster.
void add_network_options(CLI::App& app, DaemonOptions& options) {
  static const std::map<std::string, Routing> kRoutings{
      {"auto", Routing::kAuto}, {"direct", Routing::kDirect}, {"vxlan", Routing::kVxlan}};
  app.add_option("--routing", options.routing,
                 "How the pods of other nodes are reached. auto: directly where the node is on a "
                 "link of this one, else by VXLAN; direct: never by VXLAN; vxlan: always")
      ->transform(CLI::CheckedTransformer(kRoutings).description("auto|direct|vxlan"))
      ->default_str("auto");
  app.add_option("--vxlan-port", options.tunnel.port,
                 "UDP port of the tunnel, the same on all nodes; IANA's is 4789")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--vxlan-vni", options.tunnel.vni,
                 "Network identifier of the tunnel, the same on all nodes")
      ->check(CLI::Range(1U, kMaxVni))
      ->capture_default_str();
  app.add_option("--vxlan-checksum-offload", options.tunnel.checksum_offload,
                 "Whether checksums inside the tunnel are left to the NIC. auto: unless a test "
                 "with another node shows that it gets them wrong")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  app.add_option("--masquerade", options.masquerade,
                 "on or off: what pods send to the outside of the cluster has the node's address")
      ->default_str("on");
}

/// The cluster's networks as the command line has them.
struct NetworkTexts {
  std::vector<std::string> clusters, services, nodes, non_masquerade;
};

std::vector<IpNet> networks_in(const std::vector<std::string>& texts) {
  std::vector<IpNet> networks;
  for (const std::string& text : texts) networks.push_back(IpNet::parse(text).value());
  return networks;
}

void add_cluster_options(CLI::App& app, NetworkTexts& texts) {
  app.add_option("--cluster-cidr", texts.clusters,
                 "Network of the cluster's pods, kubeadm's podSubnet; a PodCIDR outside is "
                 "refused. May be given several times")
      ->check(check_network);
  app.add_option("--service-cidr", texts.services,
                 "Network of the cluster's Services, kubeadm's serviceSubnet; a PodCIDR that "
                 "overlaps it is refused. May be given several times")
      ->check(check_network);
  app.add_option("--node-cidr", texts.nodes,
                 "Network of the nodes' addresses; an InternalIP outside is refused. May be given "
                 "several times")
      ->check(check_network);
  app.add_option("--non-masquerade-cidr", texts.non_masquerade,
                 "Outside network to which pods keep their address; may be given several times")
      ->check(check_network);
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

/// What the container runtime needs of us.
void add_cni_options(CLI::App& app, CniOptions& options) {
  app.add_option("--cni-conf-dir", options.conf_dir,
                 "The runtime's folder of network configurations; without it none is written");
  app.add_option("--cni-conf-name", options.conf_name,
                 "The list's file there; the runtime takes the first file by name")
      ->check(check_list_name)
      ->capture_default_str();
  app.add_option("--cni-bin-dir", options.bin_dir, "The runtime's folder of plugins")
      ->capture_default_str();
  app.add_option("--plugin-binary", options.plugin_binary,
                 "The program kube-cni to keep installed there; unset: none is installed");
}

/// Gives the options what the file says, and checks what the plugin will be told.
/// Throws as CLI::App::parse(), naming the file and every mistake in it.
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
      problems.emplace_back("\"cni\" is given, but no \"cniConfDir\" to write it to");
  }
  for (const auto& [option, folder] : {std::pair("--cni-conf-dir", options.cni.conf_dir),
                                       {"--cni-bin-dir", options.cni.bin_dir},
                                       {"--plugin-binary", options.cni.plugin_binary}})
    if (!folder.empty() && folder.is_relative())
      problems.push_back(std::string(option) + ": " + folder.string() + " is no absolute path");
  // As the plugin would refuse it: for each pod.
  if (problems.empty() && !options.cni.conf_dir.empty())
    if (auto taken = check_plugin_entry(options); !taken) problems.push_back(taken.error().what);
  if (problems.empty()) return;
  std::string text;
  for (const auto& problem : problems) text += "\n  " + problem;
  throw CLI::ValidationError(path.empty() ? "--cni-conf-dir" : "--config " + path.string(), text);
}

/// In lower case, as kubelet names a node of which it is told no name.
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
                 "Settings as a JSON object: each option by its name in camel case, like "
                 "\"vxlanPort\", and \"cni\" for the plugin. Options override it")
      ->configurable(false);
  app.add_option("--node-name", options.node_name,
                 "Name of this node's Node object (default: the host's, as kubelet has it)");
  app.add_option("--node-source", options.node_source,
                 "file:PATH, a NodeList as `kubectl get nodes -o json` prints it, or kubernetes")
      ->check([](const std::string& source) -> std::string {
        const bool known = source == "kubernetes" || (source.starts_with("file:") &&
                                                      source.size() > std::string("file:").size());
        return known ? "" : "\"" + source + "\" is neither file:PATH nor kubernetes";
      });
  app.add_option("--kubeconfig", options.api.kubeconfig,
                 "How to reach the API server (default: the pod's service account)");
  app.add_option("--api-server", options.api.api_servers,
                 "URL of the API server; may be given several times, for when one does not answer");
  app.add_option("--ca-file", options.api.ca_file, "CA certificates of the API server, PEM");
  app.add_option("--token-file", options.api.token_file, "Bearer token, read for every request");
  app.add_flag("--insecure-skip-tls-verify", options.api.insecure_skip_tls_verify,
               "Do not verify the API server's certificate: for tests alone");
  app.add_option("--startup-taint", options.startup_taint,
                 "Key of a taint that is removed from this node's Node once it can take pods");
  app.add_option("--dataplane", options.dataplane,
                 "auto: eBPF where it loads; ebpf: eBPF, or exit; bridge: the kernel path alone")
      ->check(CLI::IsMember({"auto", "ebpf", "bridge"}))
      ->capture_default_str();
  NetworkTexts networks;
  add_network_options(app, options);
  add_cluster_options(app, networks);
  app.add_option("--state-dir", options.state_dir, "What has to survive a reboot")
      ->capture_default_str();
  app.add_option("--run-dir", options.run_dir, "Locks and status")->capture_default_str();
  app.add_option("--bpffs", options.bpffs, "Folder for the pins")->capture_default_str();
  app.add_option("--bridge", options.bridge, "The pods' bridge")->capture_default_str();
  add_cni_options(app, options.cni);
  app.add_option(
         "--metrics-address", options.metrics_address,
         "ADDRESS:PORT for /metrics, /healthz and /readyz, without encryption or login; off")
      ->check(check_metrics_address)
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "error, warn, info, debug")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}))
      ->capture_default_str();
  app.fallthrough();
  const auto* clean_up = app.add_subcommand(
      "cleanup",
      "Removes everything that is kube-cni's from the node, and ends. Stop the daemon first. While "
      "there are pods, what they and the runtime need stays: exit status 3");
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
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error));
  }
  return options;
}

}  // namespace kubecni
