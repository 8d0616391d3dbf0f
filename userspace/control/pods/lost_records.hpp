#pragma once

#include "base/result.hpp"
#include "control/outcome.hpp"
#include "ipam/lease_record.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// Remembers the records and leases of living pods, and writes them again when somebody removes
/// them. A DEL removes a record, too, and then the veth: a single record has to be missing for some
/// seconds while the veth stays. What no DEL does is put right at once. A pod lives while it has
/// its veth, which is asked under the lock of what is written: a DEL removes what was written
/// before it deleted the veth.
class LostRecords {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LostRecords(std::filesystem::path state_dir) : state_dir_(std::move(state_dir)) {}

  /// `attachments` are all records, `links` were listed before. Appends what it restored to
  /// `attachments`. Asks for another round if it waits for a DEL. Runs in the node's namespace.
  void sync(NetlinkSocket& netlink, std::vector<Attachment>& attachments,
            const std::vector<Link>& links, Outcome& outcome);

  /// The pods without a record that a DEL may be about to remove, since the last sync().
  [[nodiscard]] const std::vector<Attachment>& awaited() const { return awaited_; }

 private:
  struct Pod {
    Attachment attachment;
    Lease lease;
    unsigned host_ifindex = 0;
    std::optional<Clock::time_point> missing_since = {};
  };
  void remember(const std::vector<Attachment>& attachments, const std::vector<Link>& links);
  [[nodiscard]] bool is_complete(const Pod& pod, bool has_record) const;
  [[nodiscard]] bool may_be_removed_by_del(const Pod& pod, bool has_record) const;
  [[nodiscard]] Result<bool> restore(NetlinkSocket& netlink, const Pod& pod) const;

  std::filesystem::path state_dir_;
  std::map<std::string, Pod> pods_;  ///< by host end
  std::vector<Attachment> awaited_;
};

}  // namespace kubecni
