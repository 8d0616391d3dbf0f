#pragma once

#include "base/result.hpp"
#include "control/outcome.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "net/nftables.hpp"
#include "pods/host_ports.hpp"
#include "state/attachment.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// The host ports of this node's pods: the table, its rules and elements, and the settings that
/// they need. ADD makes all of it; this brings back what somebody took away, and removes host ports
/// of pods that ended. Runs in the node's namespace.
class HostPortSync {
 public:
  /// Errors: EPROTONOSUPPORT the kernel has no netfilter; EPERM no CAP_NET_ADMIN.
  static Result<HostPortSync> open();

  /// `recorded` are those of the store a moment ago; `awaited` have lost their records, which may
  /// come back. Without host ports, and without a table, it does nothing. When all is right it asks
  /// the kernel for a number, the links, and the settings of the pods' devices.
  void sync(NetlinkSocket& netlink, const AttachmentStore& store,
            const std::vector<Attachment>& recorded, const std::vector<Attachment>& awaited,
            Outcome& outcome);

  /// Removes the table, and forbids on `devices` what it made safe.
  static void clean_up(const std::vector<std::string>& devices, Outcome& outcome);

 private:
  explicit HostPortSync(Nftables nftables) : nftables_(std::move(nftables)) {}

  Result<std::vector<std::string>> write(NetlinkSocket& netlink, const AttachmentStore& store,
                                         const std::vector<Attachment>& awaited);

  static void forbid_localhost(const std::vector<Link>& links, Outcome& outcome);

  Nftables nftables_;
  std::string structure_;         ///< the table without elements, as it was made
  std::uint32_t generation_ = 0;  ///< of nftables, when all was right; 0: never
  HostPorts applied_;             ///< likewise
};

}  // namespace kubecni
