// kube-cni-bench: compares kube-cni's speed with others, and measures its cost for a node. Works in
// its own sandbox, so it changes nothing on the machine. See docs/performance.md.

#include "bench/cni_command.hpp"
#include "bench/footprint_command.hpp"
#include "bench/path_command.hpp"
#include "bench/prog_command.hpp"
#include "bench/sync_command.hpp"

#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
  CLI::App app("Measures kube-cni.", "kube-cni-bench");
  app.set_version_flag("--version", KUBECNI_VERSION);
  app.require_subcommand(1);
  kubecni::bench::add_cni_command(app);
  kubecni::bench::add_footprint_command(app);
  kubecni::bench::add_path_command(app);
  kubecni::bench::add_prog_command(app);
  kubecni::bench::add_sync_command(app);
  CLI11_PARSE(app, argc, argv);
  return 0;
}
