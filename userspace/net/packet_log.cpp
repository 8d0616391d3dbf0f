#include "net/packet_log.hpp"

#include "net/netlink_request.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>

namespace kubecni {

namespace {

// The addresses, and the ports behind some options or extension headers.
constexpr std::uint32_t kCopiedBytes = 96;

void add_packet(const nlmsghdr* message, std::vector<LoggedPacket>& packets) {
  if (message->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)) return;
  const Attributes<NFULA_MAX> attributes(message,
                                         static_cast<const nfgenmsg*>(nlmsg_data(message)));
  nlattr* payload = attributes[NFULA_PAYLOAD];
  if (!payload) return;
  const std::span bytes(static_cast<const std::uint8_t*>(nla_data(payload)),
                        static_cast<std::size_t>(nla_len(payload)));
  if (const auto head = parse_packet_head(bytes))
    packets.push_back({attributes.text(NFULA_PREFIX), *head});
}

}  // namespace

Result<PacketLog> PacketLog::open(std::uint16_t group) {
  auto socket = NetlinkSocket::open(NetlinkPeer::kNetfilter);
  if (!socket) return fail(socket);
  NetlinkRequest request(
      NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, 0,
      nfgenmsg{.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(group)});
  // In one message: once it is answered, the socket has other messages than answers.
  const nfulnl_msg_config_cmd bind{.command = NFULNL_CFG_CMD_BIND};
  const nfulnl_msg_config_mode mode{
      .copy_range = htonl(kCopiedBytes), .copy_mode = NFULNL_COPY_PACKET, ._pad = 0};
  request.put(NFULA_CFG_CMD, &bind, sizeof(bind));
  request.put(NFULA_CFG_MODE, &mode, sizeof(mode));
  request.put(NFULA_CFG_QTHRESH, htonl(1));  // each packet at once
  auto done = request.exchange(*socket, "listen to packets that nftables logs");
  if (!done) return fail(done);
  return PacketLog(std::move(*socket));
}

std::vector<LoggedPacket> PacketLog::take() {
  constexpr int kMostReads = 64;
  alignas(nlmsghdr) char buffer[8192];
  std::vector<LoggedPacket> packets;
  for (int reads = 0; reads < kMostReads; ++reads) {
    const ssize_t size = ::recv(fd(), buffer, sizeof(buffer), MSG_TRUNC | MSG_DONTWAIT);
    if (size < 0 && (errno == EINTR || errno == ENOBUFS)) continue;  // ENOBUFS: some were lost
    if (size < 0) break;
    auto left = static_cast<int>(std::min<ssize_t>(size, sizeof(buffer)));
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); nlmsg_ok(message, left);
         message = nlmsg_next(message, &left))
      add_packet(message, packets);
  }
  return packets;
}

}  // namespace kubecni
