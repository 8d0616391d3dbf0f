#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/bridge.hpp"
#include "net/link.hpp"

#include <linux/netlink.h>

#include <map>
#include <set>
#include <utility>

namespace kubecni {

/// Separates routing netlink notifications that change something from the others: the kernel also
/// sends them for carriers, port states and its own link-local addresses, which a pod can change on
/// its end of a veth as often as it likes.
class NotificationFilter {
 public:
  /// Whether a link, a bridge's port, an address, a route or the like differs from the state after
  /// the notifications so far, as list_links(), list_bridge_ports(), list_addresses() and
  /// list_routes() report it.
  bool is_change(const nlmsghdr* message);

 private:
  bool is_change_of_link(const nlmsghdr* message);
  bool is_change_of_port(const nlmsghdr* message);
  bool is_change_of_address(const nlmsghdr* message);
  static bool is_change_of_neighbour(const nlmsghdr* message);

  std::map<unsigned, Link> links_;
  std::map<unsigned, BridgePort> ports_;
  std::set<std::pair<unsigned, IpNet>> addresses_;
};

/// Reports that links, ports of bridges, queueing disciplines, addresses, routes, routing rules,
/// forwarding, permanent FDB entries, or neighbours that are permanent or kube-cni's changed in the
/// namespace, of either family; not which ones, since the listener reads everything anyway. The
/// kernel filters what other neighbours do, so they wake nobody.
class NetlinkMonitor {
 public:
  /// Listens in the namespace of the calling thread from now on.
  static Result<NetlinkMonitor> open();

  /// Readable after a report.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Reads the reports so far, but a bounded number, so an endless sender cannot block the caller.
  /// Result: whether something changed; also true if notifications were lost because they did not
  /// fit the buffer.
  bool take_changes();

 private:
  explicit NetlinkMonitor(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  NotificationFilter filter_;
};

}  // namespace kubecni
