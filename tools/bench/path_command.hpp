#pragma once

namespace CLI {
class App;
}

namespace kubecni::bench {

/// Adds the subcommand `path`, like add_cni_command().
void add_path_command(CLI::App& app);

}  // namespace kubecni::bench
