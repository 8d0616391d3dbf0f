#pragma once

#include "base/result.hpp"

#include <memory>

struct nl_sock;

namespace kubecni {

class NetlinkRequest;

/// The kernel subsystem that a netlink socket talks to.
enum class NetlinkPeer {
  kRoute,      ///< links, addresses, routes, neighbours, rules
  kNetfilter,  ///< connection tracking, nftables
  kXfrm,       ///< IPsec
};

/// A netlink socket. It belongs to the network namespace in which it was opened, wherever its
/// thread goes later. Each call that takes one sends a request and waits for the kernel's answer,
/// at most 1 s. Unless a call says otherwise, its socket is of NetlinkPeer::kRoute.
class NetlinkSocket {
 public:
  /// Opens a socket in the namespace of the calling thread.
  /// Errors: EPROTONOSUPPORT the kernel has no such peer.
  static Result<NetlinkSocket> open(NetlinkPeer peer = NetlinkPeer::kRoute);
  /// Opens a socket in the namespace `netns_fd`. Errors: also those of setns(2).
  static Result<NetlinkSocket> open_in(int netns_fd);

  /// For what the kernel sends by itself.
  [[nodiscard]] int fd() const;

 private:
  friend class NetlinkRequest;
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit NetlinkSocket(nl_sock* socket) : socket_(socket) {}
  std::unique_ptr<nl_sock, Close> socket_;
};

}  // namespace kubecni
