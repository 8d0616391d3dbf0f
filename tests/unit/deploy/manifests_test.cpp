// The manifests of deploy/ fit each other, and the daemon that they start.

#include "base/file.hpp"
#include "daemon/options.hpp"
#include "support/temp_dir.hpp"
#include "support/yaml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const fs::path kDeploy = KUBECNI_SOURCE_DIR "/deploy";

std::string text_of_file(const fs::path& path) {
  const auto text = read_file(path);
  if (!text) throw std::runtime_error(text.error().what);
  return *text;
}

/// The parts of a folder for `kubectl apply -k`, with the files of its base.
std::vector<json> resources_of(const fs::path& folder) {
  std::vector<json> all;
  const json kustomization = read_yaml(folder / "kustomization.yaml").at(0);
  for (const json& entry : kustomization.at("resources")) {
    const fs::path path = folder / entry.get<std::string>();
    for (json& document : fs::is_directory(path) ? resources_of(path) : read_yaml(path))
      all.push_back(std::move(document));
  }
  return all;
}

json daemonset() { return find_object(resources_of(kDeploy / "base"), "DaemonSet", "kube-cni"); }
json cleanup_daemonset() {
  return find_object(read_yaml(kDeploy / "cleanup.yaml"), "DaemonSet", "kube-cni-cleanup");
}
json pod_of(const json& daemonset) { return daemonset.at("spec").at("template").at("spec"); }
json container() { return pod_of(daemonset()).at("containers").at(0); }
json cleanup_container() { return pod_of(cleanup_daemonset()).at("initContainers").at(0); }

std::string settings_in(const json& config_map) {
  return config_map.at("data").at("config.json").get<std::string>();
}

/// The options that `words` give, with `settings` where the ConfigMap is mounted.
std::expected<DaemonOptions, int> options_of(const json& words, const std::string& settings) {
  const TempDir folder;
  const std::string file = folder.path() / "config.json";
  if (auto written = write_file_atomically(file, settings); !written)
    throw std::runtime_error(written.error().what);
  std::vector<std::string> argv{"kube-cnid"};
  for (const json& word : words) {
    argv.push_back(word.get<std::string>());
    if (argv.back() == "--config=/etc/kube-cni/config.json") argv.back() = "--config=" + file;
    if (argv.back() == "--node-name=$(NODE_NAME)") argv.back() = "--node-name=n1";
  }
  std::vector<const char*> pointers;
  for (const auto& word : argv) pointers.push_back(word.c_str());
  return parse_options(static_cast<int>(pointers.size()), pointers.data());
}

DaemonOptions options_of_the_daemonset() {
  const auto base = resources_of(kDeploy / "base");
  return options_of(container().at("args"), settings_in(find_object(base, "ConfigMap", "kube-cni")))
      .value();
}

std::set<std::string> mount_paths(const json& container) {
  std::set<std::string> paths;
  for (const json& mount : container.at("volumeMounts"))
    paths.insert(mount.at("mountPath").get<std::string>());
  return paths;
}

/// Whether `path` of the container comes from the host.
bool is_mounted(const json& container, const fs::path& path) {
  const auto paths = mount_paths(container);
  for (fs::path at = path; at.has_relative_path(); at = at.parent_path())
    if (paths.contains(at)) return true;
  return false;
}

TEST(Manifests, InOneFileAreThoseOfTheFolder) {
  for (const auto& [folder, file] :
       {std::pair("base", "kube-cni.yaml"), {"cleanup", "cleanup.yaml"}}) {
    std::string expected =
        "# Made by tools/manifests of deploy/" + std::string(folder) + ": change it there.\n";
    const json kustomization = read_yaml(kDeploy / folder / "kustomization.yaml").at(0);
    for (const json& entry : kustomization.at("resources"))
      expected += "---\n" + text_of_file(kDeploy / folder / entry.get<std::string>());

    EXPECT_EQ(text_of_file(kDeploy / file), expected) << "run tools/manifests";
  }
}

TEST(Manifests, OfTheBaseHaveAllThatTheDaemonSetNames) {
  const auto base = resources_of(kDeploy / "base");
  const json pod = pod_of(daemonset());

  find_object(base, "ServiceAccount", pod.at("serviceAccountName"));
  const json binding = find_object(base, "ClusterRoleBinding", "kube-cni");
  find_object(base, "ClusterRole", binding.at("roleRef").at("name"));
  find_object(base, "Role", find_object(base, "RoleBinding", "kube-cni").at("roleRef").at("name"));
  EXPECT_EQ(binding.at("subjects").at(0).at("name"), pod.at("serviceAccountName"));
  EXPECT_EQ(binding.at("subjects").at(0).at("namespace"),
            daemonset().at("metadata").at("namespace"));
  std::set<std::string> volumes;
  for (const json& volume : pod.at("volumes")) {
    volumes.insert(volume.at("name").get<std::string>());
    if (volume.contains("configMap"))
      find_object(base, "ConfigMap", volume.at("configMap").at("name"));
  }
  std::set<std::string> mounted;
  const json mounts = container().at("volumeMounts");
  for (const json& mount : mounts) mounted.insert(mount.at("name").get<std::string>());
  EXPECT_EQ(mounted, volumes);
  EXPECT_EQ(daemonset().at("spec").at("selector").at("matchLabels"),
            daemonset().at("spec").at("template").at("metadata").at("labels"));
}

TEST(Manifests, GiveTheDaemonOptionsThatItTakes) {
  const auto options = options_of_the_daemonset();

  EXPECT_EQ(options.node_name, "n1");
  EXPECT_EQ(options.node_source, "kubernetes");
}

TEST(Manifests, MountEveryFolderOfTheDaemon) {
  const auto options = options_of_the_daemonset();

  for (const fs::path& folder : {options.state_dir, options.run_dir, options.bpffs,
                                 options.cni.conf_dir, options.cni.bin_dir})
    EXPECT_TRUE(is_mounted(container(), folder)) << folder;
  EXPECT_THAT(mount_paths(container()), Contains("/run/netns"));
  EXPECT_THAT(mount_paths(container()), Contains("/var/run/netns"));
  EXPECT_THAT(mount_paths(container()), Contains("/host/proc/sys/net"));
}

// The namespace of a later pod would be invisible, so the pod would seem dead and lose its address.
TEST(Manifests, LetMountsOfTheHostAppearInTheContainer) {
  const json mounts = container().at("volumeMounts");
  for (const json& mount : mounts) {
    const std::string path = mount.at("mountPath");
    const bool is_mounted_later =
        path == "/run/netns" || path == "/var/run/netns" || path == "/sys/fs/bpf";
    EXPECT_EQ(mount.value("mountPropagation", ""), is_mounted_later ? "HostToContainer" : "")
        << path;
  }
}

TEST(Manifests, ProbeWhatTheDaemonServes) {
  const std::string address = options_of_the_daemonset().health_address;

  for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"}) {
    const json get = container().at(probe).at("httpGet");
    EXPECT_EQ(get.at("host").get<std::string>() + ":" + std::to_string(get.at("port").get<int>()),
              address);
    EXPECT_EQ(get.at("path"), std::string(probe) == "readinessProbe" ? "/readyz" : "/healthz");
  }
}

// The runtimes' default profile denies writes below /sys/fs/bpf.
TEST(Manifests, SwitchAppArmorOffForTheContainersThatPinPrograms) {
  const json unconfined{{"type", "Unconfined"}};
  EXPECT_EQ(container().at("securityContext").at("appArmorProfile"), unconfined);
  EXPECT_EQ(cleanup_container().at("securityContext").at("appArmorProfile"), unconfined);
}

// They take a Pod with the field for a mistake.
TEST(Manifests, SwitchAppArmorOffByAnnotationForOlderServers) {
  const fs::path component = kDeploy / "components/apparmor-annotation";
  const auto expect_annotation = [&](const char* patch, const std::string& list,
                                     const json& container) {
    const json steps = read_yaml(component / patch).at(0);
    EXPECT_EQ(steps.at(0).at("op"), "remove");
    EXPECT_EQ(steps.at(0).at("path"),
              "/spec/template/spec/" + list + "/0/securityContext/appArmorProfile");
    EXPECT_EQ(steps.at(1).at("path"), "/spec/template/metadata/annotations");
    EXPECT_EQ(steps.at(1).at("value"), (json{{"container.apparmor.security.beta.kubernetes.io/" +
                                                  container.at("name").get<std::string>(),
                                              "unconfined"}}));
  };

  expect_annotation("daemonset.yaml", "containers", container());
  expect_annotation("cleanup.yaml", "initContainers", cleanup_container());
  EXPECT_FALSE(daemonset().at("spec").at("template").at("metadata").contains("annotations"))
      << "the patch would replace them";
}

TEST(Manifests, NameOneImageOfThisVersion) {
  EXPECT_EQ(container().at("image"), "kube-cni:" KUBECNI_VERSION);
  EXPECT_EQ(cleanup_container().at("image"), container().at("image"));
}

TEST(Manifests, OfCleanupGiveTheSameRightsAndOptions) {
  const auto base = resources_of(kDeploy / "base");

  const auto options = options_of(cleanup_container().at("args"),
                                  settings_in(find_object(base, "ConfigMap", "kube-cni")));

  ASSERT_TRUE(options);
  EXPECT_TRUE(options->clean_up);
  EXPECT_TRUE(options->clean_up_waits) << "or the kubelet makes it wait, for minutes";
  const auto running = options_of_the_daemonset();
  EXPECT_EQ(options->cni.conf_dir, running.cni.conf_dir);
  EXPECT_EQ(options->cni.plugin_binary, running.cni.plugin_binary);
  EXPECT_EQ(cleanup_container().at("securityContext"), container().at("securityContext"));
  // A folder that is itself mounted cannot be removed.
  for (const fs::path& folder : {options->state_dir, options->run_dir})
    EXPECT_TRUE(is_mounted(cleanup_container(), folder.parent_path())) << folder;
  for (const fs::path& folder : {options->bpffs, options->cni.conf_dir, options->cni.bin_dir})
    EXPECT_TRUE(is_mounted(cleanup_container(), folder)) << folder;
}

constexpr const char* kRightsPath =
    "/spec/template/spec/containers/0/securityContext/capabilities/add/-";

/// The arguments that a patch of the daemon's adds to the container's; the operator's ConfigMap
/// stays as it is.
json args_with(const fs::path& folder) {
  json args = container().at("args");
  const json kustomization = read_yaml(folder / "kustomization.yaml").at(0);
  for (const json& patch : kustomization.at("patches")) {
    EXPECT_EQ(patch.at("target"), (json{{"kind", "DaemonSet"}, {"name", "kube-cni"}})) << folder;
    const json steps = read_yaml(folder / patch.at("path").get<std::string>()).at(0);
    for (const json& step : steps) {
      EXPECT_EQ(step.at("op"), "add");
      if (step.at("path") == kRightsPath) continue;
      EXPECT_EQ(step.at("path"), "/spec/template/spec/containers/0/args/-");
      args.push_back(step.at("value"));
    }
  }
  return args;
}

TEST(Manifests, OfOverlaysGiveTheDaemonOptionsBesideTheOperatorsSettings) {
  const std::string settings = R"({"apiServer": ["https://192.0.2.10:6443"]})";
  std::map<std::string, DaemonOptions> overlays;
  for (const auto& entry : fs::directory_iterator(kDeploy / "overlays"))
    overlays[entry.path().filename()] = options_of(args_with(entry.path()), settings).value();

  ASSERT_THAT(overlays, UnorderedElementsAre(testing::Key("vxlan"), testing::Key("direct"),
                                             testing::Key("dual-stack"), testing::Key("bgp")));
  EXPECT_EQ(overlays["bgp"].routing, Routing::kBgp);
  EXPECT_EQ(overlays["vxlan"].routing, Routing::kVxlan);
  EXPECT_EQ(overlays["direct"].routing, Routing::kDirect);
  EXPECT_EQ(overlays["dual-stack"].non_masquerade_cidrs.size(), 1u);
  for (const auto& [name, options] : overlays)
    EXPECT_THAT(options.api.api_servers, testing::ElementsAre("https://192.0.2.10:6443")) << name;
}

// More would be a right that nobody needs.
TEST(Manifests, OfBgpGiveTheRightToItsPort) {
  std::vector<json> rights;
  for (const auto& entry : fs::directory_iterator(kDeploy / "overlays")) {
    const json steps = read_yaml(entry.path() / "daemonset.yaml").at(0);
    for (const json& step : steps)
      if (step.at("path") == kRightsPath) rights.push_back(step.at("value"));
  }

  EXPECT_EQ(rights, std::vector<json>{"NET_BIND_SERVICE"});
  EXPECT_THAT(text_of_file(KUBECNI_SOURCE_DIR "/docs/install.md"),
              HasSubstr("| `NET_BIND_SERVICE` |"));
}

TEST(Manifests, OfTheStartupTaintGiveTheDaemonAnOptionThatItTakes) {
  const auto options = options_of(args_with(kDeploy / "components/startup-taint"), "{}");

  ASSERT_TRUE(options);
  EXPECT_EQ(options->startup_taint, "kube-cni/starting");
}

// The page has to give the reason for each rule and capability.
TEST(Manifests, AskForNoRightThatThePageDoesNotExplain) {
  const std::string page = text_of_file(KUBECNI_SOURCE_DIR "/docs/install.md");
  auto resources = resources_of(kDeploy / "base");
  for (json& more : resources_of(kDeploy / "components/startup-taint"))
    resources.push_back(std::move(more));
  json rules = json::array();
  for (const json& resource : resources)
    for (const json& rule : resource.value("rules", json::array())) rules.push_back(rule);

  EXPECT_EQ(rules.size(), 7u);
  for (const json& rule : rules) {
    std::string verbs;
    for (const json& verb : rule.at("verbs"))
      verbs += (verbs.empty() ? "" : ", ") + verb.get<std::string>();
    for (const json& resource : rule.at("resources"))
      EXPECT_THAT(page, HasSubstr("| `" + resource.get<std::string>() + "`: " + verbs + " |"));
  }
  const json security = container().at("securityContext");
  EXPECT_FALSE(security.value("privileged", false));
  EXPECT_EQ(security.at("capabilities").at("drop"), json::array({"ALL"}));
  for (const json& capability : security.at("capabilities").at("add"))
    EXPECT_THAT(page, HasSubstr("| `" + capability.get<std::string>() + "` |"));
}

/// The words of a line "NAME=words" of the unit.
std::vector<std::string> unit_setting(const std::string& name) {
  std::istringstream unit(text_of_file(kDeploy / "kube-cnid.service"));
  for (std::string line; std::getline(unit, line);) {
    if (!line.starts_with(name + "=")) continue;
    std::istringstream words(line.substr(name.size() + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  throw std::runtime_error("no " + name);
}

TEST(Unit, GivesTheDaemonTheRightsOfTheDaemonSet) {
  std::vector<std::string> wanted;
  const json added = container().at("securityContext").at("capabilities").at("add");
  for (const json& capability : added) wanted.push_back("CAP_" + capability.get<std::string>());
  wanted.emplace_back("CAP_NET_BIND_SERVICE");  // BIRD, which the image does not have

  EXPECT_EQ(unit_setting("CapabilityBoundingSet"), wanted);
}

TEST(Unit, StartsTheDaemonWithThePackagesSettings) {
  auto words = unit_setting("ExecStart");
  ASSERT_EQ(words.at(0), "kube-cnid");
  json args = json::array();
  for (std::size_t i = 1; i < words.size(); i += 2)
    args.push_back(words[i] + "=" + words.at(i + 1));

  const auto options = options_of(args, text_of_file(kDeploy / "config.json"));

  ASSERT_TRUE(options);
  EXPECT_EQ(options->node_source, "kubernetes");
  EXPECT_EQ(options->cni.conf_dir, "/etc/cni/net.d");
}

}  // namespace
}  // namespace kubecni::test
