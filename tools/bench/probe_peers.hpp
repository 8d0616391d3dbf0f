#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace kubecni::bench {

/// The other nodes as the probes of a daemon meet them: each of them answers at its probe address,
/// and together they ask the daemon as often as it asks them. A thread of its own, which sends and
/// receives from any address that is local where start() runs.
class ProbePeers {
 public:
  /// `asked` and `asking` are the probe addresses of the daemon and of one of the others, IPv4.
  /// Errors: those of making a socket.
  static Result<std::unique_ptr<ProbePeers>> start(const IpAddr& asked, const IpAddr& asking);
  ProbePeers(const ProbePeers&) = delete;
  ProbePeers& operator=(const ProbePeers&) = delete;
  ~ProbePeers();

 private:
  ProbePeers(UniqueFd fd, const IpAddr& asked, const IpAddr& asking);
  void run();
  void ask() const;
  void answer() const;

  UniqueFd fd_;
  const IpAddr asked_;
  const IpAddr asking_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace kubecni::bench
