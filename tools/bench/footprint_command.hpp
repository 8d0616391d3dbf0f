#pragma once

namespace CLI {
class App;
}

namespace kubecni::bench {

/// Adds the subcommand `footprint`, like add_cni_command().
void add_footprint_command(CLI::App& app);

}  // namespace kubecni::bench
