#include "control/install/install_controller.hpp"

#include "base/file.hpp"
#include "base/json.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace kubecni {

namespace fs = std::filesystem;

namespace {

// As the CIS benchmark for Kubernetes wants it (1.1.9).
constexpr unsigned kListMode = 0600;
constexpr unsigned kProgramMode = 0755;

/// Whether `path` is a regular file with this content and mode. A link does not count: a runtime
/// watches the folder, and would not see a change of the link's target.
bool has_content(const fs::path& path, std::string_view content, unsigned mode) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if ((status.st_mode & 07777) != mode || status.st_size != static_cast<off_t>(content.size()))
    return false;
  const auto found = read_all(fd.get(), content.size());
  return found && *found == content;
}

/// Result: whether the file was changed.
Result<bool> ensure_content(const fs::path& path, std::string_view content, unsigned mode) {
  if (has_content(path, content, mode)) return false;
  std::error_code ignored;
  if (fs::is_directory(fs::symlink_status(path, ignored)))
    return failure(EISDIR, path.string() + " is a directory; remove it");
  if (auto written = write_file_atomically(path, content, mode); !written) return fail(written);
  return true;
}

/// Overwrites the first byte of the file with the same byte.
///
/// containerd reads its folder again after a write, a removal and a rename out of it, but not after
/// a file is made or renamed into it (containerd issue 11715). Without the write it could miss our
/// list.
Result<> rewrite_first_byte(const fs::path& path, std::string_view content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd || ::pwrite(fd.get(), content.data(), 1, 0) != 1)
    return sys_error(errno, "write " + path.string());
  return {};
}

void fail_list(const std::string& why, Outcome& outcome) {
  outcome.say(ConditionKind::kListPending, why);
  outcome.fail(why);
}

}  // namespace

Result<bool> ensure_conf_list(const fs::path& path, std::string_view text) {
  auto changed = ensure_content(path, text, kListMode);
  if (!changed || !*changed) return changed;
  if (auto told = rewrite_first_byte(path, text); !told) return fail(told);
  return true;
}

Result<bool> ensure_program(const fs::path& path, const fs::path& source) {
  auto content = read_file(source);
  if (!content) return fail(content, "the plugin to install");
  return ensure_content(path, *content, kProgramMode);
}

std::vector<std::string> find_preferred(const std::vector<std::string>& names,
                                        const std::string& own) {
  std::vector<std::string> preferred;
  for (const auto& name : names) {
    const auto extension = fs::path(name).extension();
    if (name < own && (extension == ".conflist" || extension == ".conf" || extension == ".json"))
      preferred.push_back(name);
  }
  return preferred;
}

Result<InstallController> InstallController::open(const DaemonOptions& options) {
  auto watch = FolderWatch::open();
  if (!watch) return fail(watch);
  return InstallController(options, std::move(*watch));
}

/// Makes the folder if it is missing, and watches it. If it cannot be watched, changes in it are
/// only noticed in the next usual round.
void InstallController::prepare(const fs::path& folder, Outcome& outcome) {
  if (auto made = ensure_directory(folder); !made) return outcome.fail(made.error().what);
  if (auto watched = watch_->watch(folder); !watched)
    outcome.say(ConditionKind::kPlugins, watched.error().what);
}

void InstallController::sync_program(Outcome& outcome) {
  const fs::path path = options_.cni.bin_dir / kProgramName;
  const auto identities = [&]() -> std::optional<std::pair<FileIdentity, FileIdentity>> {
    const auto wanted = identify(options_.cni.plugin_binary);
    const auto found = identify(path);
    if (!wanted || !found) return std::nullopt;
    return std::pair(*wanted, *found);
  };
  std::error_code ignored;
  if (equal_ && identities() == equal_ && !fs::is_symlink(path, ignored)) return;
  static_cast<void>(delete_file(unfinished_name(path)));
  const auto before = identities();
  auto changed = ensure_program(path, options_.cni.plugin_binary);
  equal_ = changed && !*changed ? before : std::nullopt;
  if (!changed) return outcome.fail(changed.error().what);
  if (*changed) outcome.changes.push_back("installed " + path.string());
}

/// Why the present list should stay: it has a plugin that was missing when the daemon started, as
/// while its package is replaced. Pods fail meanwhile and are tried again; without that plugin they
/// would start and lack what it does. Empty: no reason, or the plugin has been missing for long.
std::string InstallController::find_missed(const std::vector<ChainLink>& links,
                                           PluginVersions::Clock::time_point now) const {
  if (now >= started_ + kMissedFor || !state_.exists) return "";  // a pipe would make us wait
  const auto text = read_file(options_.cni.conf_dir / options_.cni.conf_name);
  const auto list = text ? parse_json(*text) : Result<nlohmann::json>(nlohmann::json());
  if (!list) return "";
  for (const auto& plugin : member(*list, "plugins")) {
    const std::string type = text_of(member(plugin, "type"));
    for (const ChainLink& link : links)
      if (!link.versions && text_of(member(link.conf, "type")) == type)
        return "the list stays as it is for a minute: " + link.versions.error().what;
  }
  return "";
}

/// Empty while plugins are being asked, or if kube-cni itself is missing or does not answer.
std::optional<ChainPlan> InstallController::plan(Outcome& outcome) {
  const auto now = PluginVersions::Clock::now();
  const auto own = versions_.ask(options_.cni.bin_dir, kProgramName, now);
  const auto is_being_asked = [&outcome](const auto& versions) {
    if (versions || versions.error().code != EINPROGRESS) return false;
    outcome.say(ConditionKind::kListPending, versions.error().what);
    return true;
  };
  if (is_being_asked(own)) return std::nullopt;
  if (!own) {
    fail_list("the plugin does not work: " + own.error().what, outcome);
    return std::nullopt;
  }
  std::vector<ChainLink> links;
  links.reserve(options_.cni.chain.size());
  for (const auto& conf : options_.cni.chain)
    links.push_back(
        {conf, versions_.ask(options_.cni.bin_dir, text_of(member(conf, "type")), now)});
  for (const auto& link : links)
    if (is_being_asked(link.versions)) return std::nullopt;
  if (auto missed = find_missed(links, now); !missed.empty()) {
    outcome.say(ConditionKind::kListPending, missed);
    return std::nullopt;
  }
  auto chain = plan_chain(*own, links);
  if (chain.versions.empty()) {
    fail_list("the plugin supports no version of the CNI specification from 0.3.1 on", outcome);
    return std::nullopt;
  }
  for (const auto& [type, reason] : chain.left_out)
    outcome.say(ConditionKind::kPlugins, "plugin " + type + " is left out of the list: " + reason);
  return chain;
}

void InstallController::sync_list(const std::string& why_not_ready, Outcome& outcome) {
  const fs::path path = options_.cni.conf_dir / options_.cni.conf_name;
  if (const auto names = list_directory(options_.cni.conf_dir))
    for (const auto& name : find_preferred(*names, options_.cni.conf_name))
      outcome.say(ConditionKind::kPlugins, "the runtime uses " +
                                               (options_.cni.conf_dir / name).string() +
                                               " instead of " + options_.cni.conf_name);
  state_.path = path;
  std::error_code ignored;
  state_.exists = fs::is_regular_file(fs::symlink_status(path, ignored));
  could_take_pods_ = could_take_pods_ || why_not_ready.empty();
  if (!could_take_pods_) {
    return outcome.say(ConditionKind::kListPending,
                       "the node cannot take pods yet: " + why_not_ready);
  }
  const auto chain = plan(outcome);
  if (!chain) return;
  // A daemon that was killed while it wrote may have left this.
  static_cast<void>(delete_file(unfinished_name(path)));
  auto changed = ensure_conf_list(path, make_conf_list(options_, *chain));
  if (!changed) return fail_list(changed.error().what, outcome);
  state_.exists = true;
  state_.cni_version = chain->versions.back();
  state_.plugins.emplace_back(kProgramName);
  for (const auto& plugin : chain->plugins)
    state_.plugins.push_back(text_of(member(plugin, "type")));
  if (*changed) outcome.changes.push_back("wrote " + path.string());
}

void InstallController::sync(const std::string& why_not_ready, Outcome& outcome) {
  state_ = {};
  const bool installs = !options_.cni.plugin_binary.empty();
  const bool lists = !options_.cni.conf_dir.empty();
  // Watch first, then look: so no change is missed.
  if (installs || lists) prepare(options_.cni.bin_dir, outcome);
  if (lists) prepare(options_.cni.conf_dir, outcome);
  if (installs) sync_program(outcome);
  if (lists) sync_list(why_not_ready, outcome);
}

}  // namespace kubecni
