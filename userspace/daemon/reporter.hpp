#pragma once

#include "control/node_status/node_status_writer.hpp"
#include "control/options.hpp"
#include "daemon/observer.hpp"
#include "daemon/round_report.hpp"
#include "state/daemon_status.hpp"

#include <set>
#include <string>
#include <string_view>

namespace kubecni {

/// Where this node has the cluster from, for people.
struct SourceReport {
  std::string name;
  std::string error;  ///< empty while it works
};

/// Where the daemon is seen, for people.
struct ServedReport {
  std::string metrics;
  std::string health;
};

/// What status.json says of a round. Pure but for the pid.
DaemonStatus status_of(const RoundReport& report, const std::string& node_name,
                       const SourceReport& source, const ServedReport& served);

/// Tells everybody what a round had to say: log, status.json, metrics and health, and the
/// condition and Events of this node's Node object.
class Reporter {
 public:
  /// `writer` is null where the nodes come from a file.
  Reporter(const DaemonOptions& options, Observer& observer, NodeStatusWriter* writer)
      : options_(options), observer_(observer), writer_(writer) {}

  void tell(const RoundReport& report, const SourceReport& source);

 private:
  void log_news(const RoundReport& report);
  void log_condition(const Condition& condition, std::string_view controller) const;

  const DaemonOptions& options_;
  Observer& observer_;
  NodeStatusWriter* writer_;
  std::set<Condition> told_;  ///< of the last round
};

}  // namespace kubecni
