#include "bench.hpp"

#include "expect.hpp"
#include "scenario.hpp"
#include "test_plugins.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <tuple>

namespace kubecni::cnicheck {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

Result<fs::path> make_folder() {
  std::string path = (fs::temp_directory_path() / "cnicheck-XXXXXX").string();
  if (!mkdtemp(path.data())) return sys_error(errno, "make a folder " + path);
  return fs::path(path);
}

}  // namespace

Bench::Bench(Settings settings, Network network, PluginRunner runner, Node node, std::string prefix,
             fs::path folder)
    : settings_(std::move(settings)),
      network_(std::move(network)),
      runner_(std::move(runner)),
      node_(std::move(node)),
      prefix_(std::move(prefix)),
      folder_(std::move(folder)) {}

Result<Bench> Bench::set_up(Settings settings) {
  auto network = Network::load(settings.conf);
  if (!network) return fail(network, "--conf");
  std::string prefix = "cnicheck-" + std::to_string(getpid());
  auto node = Node::create(prefix);
  if (!node) return fail(node);
  auto folder = make_folder();
  if (!folder) return fail(folder);

  std::string cni_path = settings.plugin_dir.string();
  if (!settings.ipam_dir.empty()) cni_path += ":" + settings.ipam_dir.string();
  cni_path += ":" + folder->string();
  PluginRunner runner(cni_path, node->node.fd(), settings.timeout);
  Bench bench(std::move(settings), std::move(*network), std::move(runner), std::move(*node),
              std::move(prefix), std::move(*folder));
  if (!bench.runner_.has(bench.type()))
    return failure(ENOENT, "no plugin \"" + bench.type() + "\" in " + cni_path);
  if (auto linked = link_test_plugins(bench.folder_); !linked) return fail(linked);
  if (auto started = bench.run_hook("node-start"); !started && started.error().code != ENOTSUP)
    return fail(started);
  bench.ask_versions();
  bench.warm_up();
  return bench;
}

Bench::~Bench() {
  if (folder_.empty()) return;  // moved from
  std::ignore = run_hook("node-stop");
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Bench::ask_versions() {
  const auto end = runner_.version(type(), R"({"cniVersion":"1.0.0"})");
  const json reply = end ? json::parse(end->out, nullptr, false) : json();
  if (!reply.is_object() || !reply.contains("supportedVersions")) return;
  for (const auto& version : reply["supportedVersions"])
    if (version.is_string()) versions_.push_back(version);
}

void Bench::warm_up() {
  Scenario scenario(*this);
  scenario.keep_leftovers();
  const auto attached = scenario.attach();
  if (!attached) warm_up_problem_ = attached.error().what;
}

bool Bench::supports(const std::string& version) const {
  return std::ranges::find(versions_, version) != versions_.end();
}

Result<> Bench::require_verb(const std::string& verb, const std::string& since) const {
  if (!std::ranges::any_of(versions_, [&](const auto& one) { return is_at_least(one, since); }))
    return not_applicable("the plugin's VERSION lists nothing from " + since + " on, which has " +
                          verb);
  if (!is_at_least(network_.cni_version, since))
    return not_applicable("the configuration's cniVersion " + network_.cni_version + " has no " +
                          verb);
  return {};
}

Result<> Bench::require_hook(const std::string& name) const {
  if (settings_.hooks.contains(name)) return {};
  return not_applicable("no --hook " + name + "=... given");
}

Result<> Bench::run_hook(const std::string& name, const std::string& container_id) const {
  if (auto given = require_hook(name); !given) return fail(given);
  const char* path = std::getenv("PATH");
  auto end = run_process(
      {.program = "/bin/sh",
       .args = {"-c", settings_.hooks.at(name)},
       .env = {std::string("PATH=") + (path ? path : "/usr/sbin:/usr/bin"),
               "CNICHECK_NETNS=" + node().path(), "CNICHECK_CONTAINERID=" + container_id},
       .netns_fd = node().fd(),
       .timeout = settings_.timeout});
  if (!end) return fail(end);
  if (!end->succeeded()) return failure(EIO, "hook " + name + ": " + end->describe());
  return {};
}

Result<Network> Bench::other_network(const fs::path& path, const char* option) const {
  if (path.empty()) return not_applicable(std::string("no ") + option + " given");
  return Network::load(path);
}

}  // namespace kubecni::cnicheck
