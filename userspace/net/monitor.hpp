#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/link.hpp"

#include <linux/netlink.h>

#include <map>
#include <set>
#include <utility>

namespace kubecni {

/// Tells notifications of routing netlink that change something from those that do not:
/// the kernel also sends them for carriers, ports' states and its own link-local addresses,
/// which a pod can change on its end of a veth as often as it likes.
class NotificationFilter {
 public:
  /// Whether a link, an address, a route or the like is other than after the
  /// notifications so far, as list_links(), list_addresses() and list_routes() tell them.
  bool is_change(const nlmsghdr* message);

 private:
  bool is_change_of_link(const nlmsghdr* message);
  bool is_change_of_address(const nlmsghdr* message);

  std::map<unsigned, Link> links_;
  std::set<std::pair<unsigned, IpNet>> addresses_;
};

/// Says that links, queueing disciplines, addresses, routes or routing rules of
/// the namespace changed, of either family; not which, since whoever listens looks
/// at the whole anyway.
class NetlinkMonitor {
 public:
  /// Listens in the namespace of the calling thread from now on.
  static Result<NetlinkMonitor> open();

  /// Readable when something was reported.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Reads what was reported so far, a bounded number of notifications, so that whoever
  /// reports without end keeps nobody here. Result: whether something changed; also true
  /// when notifications were lost, since they did not fit the buffer.
  bool take_changes();

 private:
  explicit NetlinkMonitor(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  NotificationFilter filter_;
};

}  // namespace kubecni
