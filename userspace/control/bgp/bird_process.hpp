#pragma once

#include "base/result.hpp"
#include "bgp/bird_client.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The BIRD that kube-cnid runs: with a configuration, a socket and a pid file in the run folder,
/// apart from one that the operator may run. It outlives the daemon, so that a restart ends no
/// session. Runs in the node's namespace.
class BirdProcess {
 public:
  /// `program` is BIRD; empty: the first of kBirdPrograms.
  explicit BirdProcess(const std::filesystem::path& run_dir, std::filesystem::path program = {});

  /// Lets BIRD check `text`, and makes it the configuration file if BIRD takes it. The file may
  /// have passwords: only root may read it.
  /// Errors: ENOENT BIRD is not installed; EINVAL it refuses the text; those of writing a file.
  Result<> replace_config(const std::string& text);
  /// The content of the configuration file; empty: there is none.
  [[nodiscard]] std::string config() const;

  /// Connects to the BIRD that runs. Result: false if none does.
  Result<bool> connect();
  [[nodiscard]] bool is_connected();
  /// Starts it with the configuration file, in the background, and connects to it. `recovers`: the
  /// kernel has its routes, which stay until all peers have told theirs again.
  /// Errors: those of replace_config(); ECANCELED it says why it does not start.
  Result<> start(bool recovers);
  /// As BirdClient. A connection that fails is closed.
  Result<std::vector<BirdLine>> ask(const std::string& command);
  /// Ends BIRD, which says so to its peers. None runs: success. Errors: ETIMEDOUT it goes on.
  Result<> stop();
  /// Whether a BIRD was made here, and remove_files() was not called since.
  [[nodiscard]] bool has_files() const;
  Result<> remove_files();

  /// Readable when BIRD has ended; -1: there is no connection.
  [[nodiscard]] int fd() const { return client_ ? client_->fd() : -1; }
  [[nodiscard]] const std::filesystem::path& log() const { return log_; }

 private:
  Result<std::filesystem::path> find_program() const;
  Result<std::string> run(const std::vector<std::string>& args) const;

  std::filesystem::path program_;
  std::filesystem::path config_, socket_, pid_file_, log_;
  std::optional<BirdClient> client_;
};

}  // namespace kubecni
