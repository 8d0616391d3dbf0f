#pragma once

namespace CLI {
class App;
}

namespace kubecni::bench {

/// Adds the subcommand `prog`, like add_cni_command().
void add_prog_command(CLI::App& app);

}  // namespace kubecni::bench
