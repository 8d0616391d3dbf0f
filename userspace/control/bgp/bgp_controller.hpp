#pragma once

#include "base/ip.hpp"
#include "bgp/bird_config.hpp"
#include "bgp/bird_session.hpp"
#include "control/bgp/bird_process.hpp"
#include "control/outcome.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// A session as BIRD reports it.
struct BgpSession {
  std::string node;  ///< empty: the peer is no node of the cluster
  IpAddr peer;
  std::uint32_t as = 0;
  std::string state;  ///< "Established", or why it is not

  bool operator==(const BgpSession&) const = default;
};

/// Keeps a BIRD of its own as a plan says: its configuration, that it runs, and what it knows of
/// its sessions. BIRD itself keeps the kernel's routes. Runs in the node's namespace.
class BgpController {
 public:
  explicit BgpController(const std::filesystem::path& run_dir, std::filesystem::path program = {})
      : bird_(run_dir, std::move(program)) {}

  /// Makes BIRD do what `wanted` says. Until it takes a new configuration, it goes on with the one
  /// before. `has_routes`: the kernel has routes of an earlier BIRD.
  void sync(BirdConfig wanted, bool has_routes, Outcome& outcome);
  /// Ends BIRD, and deletes its routes.
  void stop(Outcome& outcome);

  /// As of the last sync(), in the order of the plan.
  [[nodiscard]] const std::vector<BgpSession>& sessions() const { return sessions_; }
  /// Readable when BIRD has ended; -1: it does not run. It changes with sync().
  [[nodiscard]] int fd() const { return bird_.fd(); }

 private:
  using Clock = std::chrono::steady_clock;

  void write_config(BirdConfig wanted, Outcome& outcome);
  bool ensure_running(bool has_routes, Outcome& outcome);
  bool load_config(Outcome& outcome);
  bool has_failed(const Error& error, Outcome& outcome);
  void retry_port(const BirdConfig& wanted, const BirdSession& session, Outcome& outcome);
  void read_sessions(const BirdConfig& wanted, Outcome& outcome);

  BirdProcess bird_;
  std::string loaded_;   ///< the configuration that BIRD has; empty: not known
  std::string refused_;  ///< the last one that it did not take
  std::string refused_why_;
  std::vector<BgpSession> sessions_;
  Clock::time_point ask_again_{};   ///< whether BIRD refuses that
  Clock::time_point sick_until_{};  ///< it does not answer
  std::string sick_why_;
  Clock::time_point next_start_ = Clock::now();
};

}  // namespace kubecni
