#pragma once

#include "base/result.hpp"

#include <memory>

struct nl_sock;

namespace kubecni {

class NetlinkRequest;

/// A NETLINK_ROUTE socket. It belongs to the network namespace in which it was
/// opened, wherever its thread goes later. Each call that takes one sends a
/// request and waits for the kernel's answer, at most 1 s.
class NetlinkSocket {
 public:
  /// Opens a socket in the namespace of the calling thread.
  static Result<NetlinkSocket> open();
  /// Opens a socket in the namespace `netns_fd`. Errors: also those of setns(2).
  static Result<NetlinkSocket> open_in(int netns_fd);

 private:
  friend class NetlinkRequest;
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit NetlinkSocket(nl_sock* socket) : socket_(socket) {}
  std::unique_ptr<nl_sock, Close> socket_;
};

}  // namespace kubecni
