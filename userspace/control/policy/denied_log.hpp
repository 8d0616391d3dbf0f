#pragma once

#include "base/result.hpp"
#include "control/policy/policy_table_plan.hpp"
#include "k8s/policy_objects.hpp"
#include "net/packet_log.hpp"
#include "policy/compiled_policy.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// A packet that a policy's chain denied, as the log shows it.
struct LoggedDenial {
  std::string from;       ///< "NAMESPACE/POD(ADDRESS)"; the address alone if it is no pod's
  std::string to;         ///< likewise
  std::string protocol;   ///< "TCP", "ICMP", or the number
  std::string port;       ///< that the flow was opened to; empty: it has none
  std::string icmp_type;  ///< likewise
  std::string policies;   ///< that isolate the pod: "shop/web,shop/db"
  std::string direction;  ///< of these policies: "ingress" or "egress"
  bool is_answer = false;

  bool operator==(const LoggedDenial&) const = default;
};

/// What the log says of the packet. Empty: its prefix is not the name of one of the chains. Pure.
std::optional<LoggedDenial> describe_denial(const LoggedPacket& packet,
                                            const CompiledPolicy& policy,
                                            const PolicyObjects& objects);

/// Hears of the packets that the policies' chains deny.
class DeniedLog {
 public:
  /// Also tries whether the kernel takes a rule that logs. Runs in the node's namespace.
  /// Errors: those of PacketLog::open(); EOPNOTSUPP, ENOENT the kernel lacks a part of nftables.
  static Result<DeniedLog> open();

  /// Readable when take() may have something.
  [[nodiscard]] int fd() const { return packets_.fd(); }
  std::vector<LoggedDenial> take(const CompiledPolicy& policy, const PolicyObjects& objects);

 private:
  explicit DeniedLog(PacketLog packets) : packets_(std::move(packets)) {}

  PacketLog packets_;
};

}  // namespace kubecni
