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

  /// Starts it, and loads the image of which the sandboxes are: a web server on port
  /// 80. Throws when it does not get up.
  explicit ContainerdCri(Places places);
  ~ContainerdCri();

  /// Loads the images of an archive, as `ctr image import` does on a node.
  void import_image(const std::filesystem::path& archive) const;

  /// Kills it, whatever it does. The containers stay.
  void kill();
  /// Starts it again with all that it kept.
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
