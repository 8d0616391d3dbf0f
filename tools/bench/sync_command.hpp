#pragma once

namespace CLI {
class App;
}

namespace kubecni::bench {

/// Adds `kube-cni-bench sync` to `app`.
void add_sync_command(CLI::App& app);

}  // namespace kubecni::bench
