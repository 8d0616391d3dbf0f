#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"
#include "net/packet_head.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// A packet that a rule of nftables has logged.
struct LoggedPacket {
  std::string prefix;  ///< that the rule gives
  PacketHead head;
};

/// Gets what nftables' rules with `log prefix "..." group N` log in the namespace (NFLOG). Nobody
/// waits for the reader: what it does not read in time is lost.
class PacketLog {
 public:
  /// Listens in the namespace of the calling thread from now on. One socket at a time may listen to
  /// a group.
  /// Errors: EPROTONOSUPPORT, EINVAL the kernel has no NFLOG; EPERM somebody else listens to the
  /// group, or no CAP_NET_ADMIN.
  static Result<PacketLog> open(std::uint16_t group);

  /// Readable when take() may have something.
  [[nodiscard]] int fd() const { return socket_.fd(); }
  /// Reads the packets so far, but a bounded number. Leaves out what is no IP packet.
  std::vector<LoggedPacket> take();

 private:
  explicit PacketLog(NetlinkSocket socket) : socket_(std::move(socket)) {}

  NetlinkSocket socket_;
};

}  // namespace kubecni
