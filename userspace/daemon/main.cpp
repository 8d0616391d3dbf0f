// kube-cnid: the node daemon.

#include "base/log.hpp"
#include "base/memory.hpp"
#include "daemon/daemon.hpp"
#include "daemon/diagnosis.hpp"
#include "daemon/options.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace kubecni;

/// Exit status of a cleanup that has to run again, because the node still has pods.
constexpr int kPodsStay = 3;

constexpr std::chrono::seconds kLookAgainAfter{5};

/// `told` are the pods that the log has named.
int clean_up_once(const DaemonOptions& options, std::vector<std::string>& told) {
  auto report = Daemon::clean_up(options);
  if (!report) {
    log::error("not cleaned up", {{"err", report.error().what}});
    return 1;
  }
  for (const auto& change : report->changes) log::info("changed", {{"what", change}});
  for (const auto& error : report->errors) log::error("not cleaned up", {{"err", error}});
  if (report->pods.empty() || report->pods != told) {
    for (const auto& kept : report->kept) log::info("stays", {{"what", kept}});
    for (const auto& pod : report->pods)
      log::warn("pod goes on by the kernel path", {{"pod", pod}});
  }
  if (!report->pods.empty() && report->pods != told)
    log::warn("plugin, its configuration, records and bridge stay for these pods",
              {{"next", options.clean_up_waits ? "delete them; cleanup waits for that"
                                               : "delete them, and run cleanup again"}});
  told = report->pods;
  if (!report->errors.empty()) return 1;
  return report->pods.empty() ? 0 : kPodsStay;
}

int clean_up(const DaemonOptions& options) {
  std::vector<std::string> told;
  for (;;) {
    const int status = clean_up_once(options, told);
    if (status != kPodsStay || !options.clean_up_waits) return status;
    std::this_thread::sleep_for(kLookAgainAfter);
  }
}

int run(const DaemonOptions& options) {
  if (auto started = log::start("kube-cnid", options.log_level); !started) return 2;
  if (options.clean_up) return clean_up(options);
  auto daemon = Daemon::start(options);
  if (!daemon) {
    log_diagnosis(options.bpffs);
    log::error("not started", {{"err", daemon.error().what}});
    return 1;
  }
  if (auto done = (*daemon)->run(); !done) {
    log::error("stopped", {{"err", done.error().what}});
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  kubecni::use_one_heap();
  const auto options = kubecni::parse_options(argc, argv);
  return options ? run(*options) : options.error();
}
