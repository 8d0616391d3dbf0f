#include "control/programs/programs_controller.hpp"

#include "dataplane/program_loader.hpp"
#include "dataplane/schema_change.hpp"
#include "dataplane/unload.hpp"
#include "net/link.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace kubecni {

namespace {

/// Whether the module of conntrack is loaded. The first rule that needs it loads it: kube-proxy's
/// or our own.
bool is_conntrack_there() {
  return std::filesystem::exists("/proc/sys/net/netfilter/nf_conntrack_count");
}

}  // namespace

Result<ProgramsController> ProgramsController::open(const DaemonOptions& options) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  ProgramsController controller(options, std::move(*netlink));
  if (options.dataplane == "bridge") return controller;
  controller.load();
  if (!controller.dataplane_ && options.dataplane == "ebpf")
    return failure(ENOTSUP, "--dataplane=ebpf: " + controller.load_error_->what);
  return controller;
}

/// Also replaces pinned programs of another build, or those that were loaded before conntrack was.
/// The controllers that attach programs then replace them on the devices.
void ProgramsController::load() {
  loaded_beside_conntrack_ = is_conntrack_there();
  const LoadOptions how{.max_flows = options_.max_flows};
  auto upgraded = upgrade_programs(options_.bpffs, options_.run_dir, how);
  auto opened = upgraded ? EbpfDataplane::open(options_.bpffs, options_.run_dir, how)
                         : EbpfDataplane::open_loaded(options_.bpffs);
  if (!opened) {
    dataplane_.reset();
    const bool is_missing = opened.error().code == ENOENT;
    load_error_ =
        upgraded || !is_missing ? opened.error() : fail(upgraded, "eBPF dataplane").error();
    upgrade_error_.clear();
    return;
  }
  dataplane_ = std::move(*opened);
  load_error_.reset();
  upgrade_error_ = upgraded ? "" : "the pinned programs stay: " + upgraded.error().what;
  if (upgraded) no_conntrack_reason_ = upgraded->no_conntrack_reason;
}

void ProgramsController::sync_loaded(Outcome& outcome) {
  const bool had_one = dataplane_.has_value();
  if (auto pinned = EbpfDataplane::open_loaded(options_.bpffs); had_one && pinned) {
    dataplane_ = std::move(*pinned);
    if (!loaded_beside_conntrack_ && is_conntrack_there()) load();
  } else {
    load();
    if (dataplane_ && had_one) outcome.changes.emplace_back("loaded the programs and maps again");
  }
  if (!upgrade_error_.empty()) outcome.fail(upgrade_error_);
}

EbpfDataplane* ProgramsController::open_pinned(Outcome& outcome) {
  auto pinned = changes_schema_ ? EbpfDataplane::open(options_.bpffs, options_.run_dir,
                                                      {.max_flows = options_.max_flows})
                                : EbpfDataplane::open_loaded(options_.bpffs);
  dataplane_.reset();
  load_error_.reset();
  if (pinned) {
    dataplane_ = std::move(*pinned);
  } else {
    load_error_ = pinned.error();
    if (load_error_->code != ENOENT) outcome.fail(load_error_->what);
  }
  return dataplane();
}

void ProgramsController::sync(Outcome& outcome) {
  const auto others = other_schemas(options_.bpffs);
  if (!others) outcome.fail(others.error().what);
  changes_schema_ = others && !others->empty();
  if (carries_nodes())
    sync_loaded(outcome);
  else
    open_pinned(outcome);
}

void ProgramsController::carry_over_flows(Outcome& outcome) {
  if (auto carried = kubecni::carry_over_flows(options_.bpffs); !carried)
    outcome.fail(carried.error().what);
}

std::vector<Device> ProgramsController::list_devices(Outcome& outcome) {
  std::vector<Device> devices;
  auto links = list_links(netlink_);
  if (!links) {
    outcome.fail(links.error().what);
    return devices;
  }
  devices.reserve(links->size());
  for (const Link& link : *links) devices.push_back({link.ifindex, link.name});
  return devices;
}

/// Removes the pins of the other schema once no device runs its programs.
void ProgramsController::end_schema_change(Outcome& outcome) {
  const auto devices = list_devices(outcome);
  if (devices.empty()) return;
  for (const Device& device : devices) {
    auto others = runs_other_programs(options_.bpffs, device);
    if (!others) return outcome.fail(others.error().what);
    if (*others)
      return outcome.fail("the maps of another schema stay, since its programs run on " +
                          device.name);
  }
  // The other programs may have added flows meanwhile.
  auto carried = kubecni::carry_over_flows(options_.bpffs);
  outcome.apply(carried ? remove_other_schemas(options_.bpffs, options_.run_dir) : carried,
                "replaced the maps of another schema");
}

/// Detaches the programs of another schema if those of this build cannot be loaded. Else they would
/// go on to redirect by maps that nobody corrects. The kernel path then carries everything.
void ProgramsController::take_off_other_schema(Outcome& outcome) {
  // Such errors may be gone in the next round.
  constexpr std::array kPassing{ETIMEDOUT, ENOMEM, EAGAIN, EINTR};
  if (!load_error_ || std::ranges::find(kPassing, load_error_->code) != kPassing.end()) return;
  const auto devices = list_devices(outcome);
  if (devices.empty()) return;
  auto unloaded = unload_dataplane(options_.bpffs, devices);
  outcome.apply(unloaded ? Result<>() : fail(unloaded),
                "detached the programs of another schema, since those of this build cannot be "
                "loaded: " +
                    load_error_->what);
}

void ProgramsController::finish(Outcome& outcome) {
  if (changes_schema_ && dataplane_)
    end_schema_change(outcome);
  else if (changes_schema_)
    take_off_other_schema(outcome);
  if (!carries_nodes()) return dataplane_.reset();
  if (!dataplane_)
    outcome.say(ConditionKind::kKernelPath, load_error_->what);
  else if (!no_conntrack_reason_.empty())
    outcome.say(ConditionKind::kNoConntrack, no_conntrack_reason_);
}

}  // namespace kubecni
