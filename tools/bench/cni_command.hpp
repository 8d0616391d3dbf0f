#pragma once

namespace CLI {
class App;
}

namespace kubecni::bench {

/// Adds the subcommand `cni`. It runs at the end of parsing, and throws CLI::RuntimeError with the
/// exit status if it fails.
void add_cni_command(CLI::App& app);

}  // namespace kubecni::bench
