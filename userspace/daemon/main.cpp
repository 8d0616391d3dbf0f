// kube-cnid: the node daemon.

#include "base/log.hpp"
#include "daemon/daemon.hpp"
#include "daemon/options.hpp"

namespace {

int run(const kubecni::DaemonOptions& options) {
  using namespace kubecni;
  if (auto started = log::start("kube-cnid", options.log_level); !started) return 2;
  auto daemon = Daemon::start(options);
  if (!daemon) {
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
  const auto options = kubecni::parse_options(argc, argv);
  return options ? run(*options) : options.error();
}
