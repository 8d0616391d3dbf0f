#include "collect_policy.hpp"

#include "live_policy_table.hpp"
#include "policy/denied_packets.hpp"
#include "state/policy_status.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>

namespace kubecni {

using nlohmann::json;

namespace {

/// A chain that the daemon has told of, or that the table has.
struct ChainRow {
  std::string direction;
  json policies = json::array();
  unsigned pods = 0;
  std::uint64_t denied = 0;
};

class ChainRows {
 public:
  void add_isolation(const PolicyIsolation& isolation, const char* direction) {
    if (isolation.chain.empty()) return;
    ChainRow& row = rows_[{isolation.chain, ""}];
    row.direction = direction;
    row.policies = isolation.policies;
    ++row.pods;
  }

  void add_denied(const DeniedPackets& denied) {
    // The daemon knows the whole list, and the rule only its beginning.
    const auto known = rows_.find({denied.chain, ""});
    ChainRow& row = known != rows_.end() ? known->second : rows_[{denied.chain, denied.reason}];
    row.direction = denied.direction;
    row.denied += denied.packets;
    if (row.policies.empty()) row.policies.push_back(denied.reason);
  }

  [[nodiscard]] json list() const {
    json list = json::array();
    for (const auto& [key, row] : rows_)
      list.push_back({{"chain", key.first},
                      {"direction", row.direction},
                      {"policies", row.policies},
                      {"pods", row.pods},
                      {"denied", row.denied}});
    return list;
  }

 private:
  std::map<std::pair<std::string, std::string>, ChainRow> rows_;  ///< by chain and reason
};

}  // namespace

Result<json> collect_policy(const NodePaths& paths) {
  auto status = read_policy_status(paths.run_dir);
  if (!status) return fail(status);
  auto daemon = daemon_status(paths);
  if (!daemon) return fail(daemon);
  auto table = read_live_table(Nftables::Elements::kNone);
  if (!table) return fail(table);
  ChainRows rows;
  if (*status)
    for (const PolicyPodStatus& pod : (*status)->pods) {
      rows.add_isolation(pod.ingress, "ingress");
      rows.add_isolation(pod.egress, "egress");
    }
  for (const DeniedPackets& denied : denied_packets(*table)) rows.add_denied(denied);
  return json{{"daemon", *status ? to_json(**status) : json()},
              {"running", daemon->is_object() && (*daemon)["running"] == true},
              {"hasTable", table->exists()},
              {"chains", rows.list()}};
}

}  // namespace kubecni
