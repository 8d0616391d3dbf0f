#pragma once

#include "support/cri_client.hpp"
#include "support/pod.hpp"
#include "support/process.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace kubecni::test {

/// Debian's containerd on a node, with its CRI plugin, as kubelet drives it.
///
/// Its folder and socket are its own, so several run side by side; named network
/// namespaces and libcni's results are in the same places for all of them.
class ContainerdCri {
 public:
  struct Places {
    const NetNs& netns;              ///< of the node
    std::filesystem::path folder;    ///< for all that it keeps
    std::filesystem::path conf_dir;  ///< where it looks for a network configuration
    std::filesystem::path bin_dir;   ///< where it looks for plugins
  };

  /// Starts it, and loads the sandboxes' image: a web server on port 80. Throws if it does not
  /// start.
  explicit ContainerdCri(Places places);
  ~ContainerdCri();

  /// Loads the images of an archive, as `ctr image import` does on a node.
  void import_image(const std::filesystem::path& archive) const;

  /// Kills it at any moment. The containers stay.
  void kill();
  /// Starts it again with its saved state.
  void start();

  [[nodiscard]] const CriClient& client() const { return client_; }

 private:
  [[nodiscard]] std::string socket() const { return places_.folder / "sock"; }
  void write_config() const;

  Places places_;
  CriClient client_;
  std::optional<Process> daemon_;
};

}  // namespace kubecni::test
