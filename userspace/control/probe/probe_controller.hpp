#pragma once

#include "cluster/cluster_view.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"
#include "control/probe/probe_pod.hpp"
#include "control/probe/prober.hpp"
#include "net/netlink.hpp"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace kubecni {

/// What probes find out, and the probes themselves: whether packets of pods get to the other nodes
/// and back. Runs in the node's namespace.
class ProbeController {
 public:
  /// Errors: those of opening netlink.
  static Result<ProbeController> open(const DaemonOptions& options);

  /// Keeps this node's probe address, and asks `targets` in turn; without targets there is none.
  /// `mtu` is that of pods, bytes. Does not wait for answers.
  void sync(const ClusterView& view, std::vector<ProbeTarget> targets, unsigned mtu,
            bool drops_forwarded, const MacAddr& tunnel_mac, Outcome& outcome);

  /// As of the last answers; says nothing where nobody is asked.
  [[nodiscard]] ProbeReport report() const;  ///< before sync(): the detours of an earlier process
  /// Readable when report() says something new; -1: nobody is asked. It changes with sync().
  [[nodiscard]] int news_fd() const { return prober_ ? prober_->news_fd() : -1; }
  void take_news() const {
    if (prober_) prober_->take_news();
  }

  /// Removes what sync() made.
  void clean_up(Outcome& outcome);

 private:
  ProbeController(DaemonOptions options, NetlinkSocket netlink);

  void describe(const Node& self, Outcome& outcome) const;
  Result<> ensure(const ProbeSelf& self, const Link* bridge, unsigned mtu, Outcome& outcome);

  DaemonOptions options_;
  NetlinkSocket netlink_;
  bool may_be_left_over_ = true;  ///< of an earlier process that had a probe port
  std::optional<ProbePod> pod_;
  std::optional<ProbeSelf> self_;      ///< of prober_
  std::vector<ProbeFinding> earlier_;  ///< detours of an earlier process, until targets are known
  std::unique_ptr<ProbeTable> table_;  ///< survives prober_, which may be made anew
  std::unique_ptr<Prober> prober_;
};

}  // namespace kubecni
