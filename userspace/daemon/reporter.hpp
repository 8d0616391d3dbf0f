#pragma once

#include "control/node_status/node_status_writer.hpp"
#include "control/options.hpp"
#include "control/policy/denied_log.hpp"
#include "daemon/observer.hpp"
#include "daemon/round_report.hpp"
#include "state/daemon_status.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// The source of the nodes, for people.
struct SourceReport {
  std::string name;
  std::string error;  ///< empty while it works
};

/// The URLs that the daemon serves at, or why it does not; for people.
struct ServedReport {
  std::string metrics;
  std::string health;
};

/// The content of status.json after a round. Pure, apart from the pid.
DaemonStatus status_of(const RoundReport& report, const std::string& node_name,
                       const SourceReport& source, const ServedReport& served);

/// Reports the outcome of a round: to the log, status.json, metrics and health, and by the
/// condition and Events of this node's Node object.
class Reporter {
 public:
  /// `writer` is null where the nodes come from a file.
  Reporter(const DaemonOptions& options, Observer& observer, NodeStatusWriter* writer)
      : options_(options), observer_(observer), writer_(writer) {}

  void tell(const RoundReport& report, const SourceReport& source);
  /// Logs what a controller changed.
  static void tell_changes(const Outcome& outcome);
  /// Logs packets that policies have denied, each.
  static void tell_denials(const std::vector<LoggedDenial>& denials);

 private:
  void log_news(const RoundReport& report);
  void log_condition(const Condition& condition, std::string_view controller) const;

  const DaemonOptions& options_;
  Observer& observer_;
  NodeStatusWriter* writer_;
  std::set<Condition> told_;  ///< of the last round
};

}  // namespace kubecni
