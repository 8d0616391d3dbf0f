#pragma once

#include "base/unique_fd.hpp"
#include "net/link.hpp"
#include "support/eventually.hpp"
#include "support/packet.hpp"
#include "support/process.hpp"

#include <gtest/gtest.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>

namespace kubecni::test {

/// `struct virtio_net_hdr`, whose header is not C++.
struct VirtioNetHeader {
  std::uint8_t flags = 1;  ///< VIRTIO_NET_HDR_F_NEEDS_CSUM
  std::uint8_t gso_type = 0;
  std::uint16_t hdr_len = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t csum_start = 0;   ///< from the start of the frame, bytes
  std::uint16_t csum_offset = 0;  ///< from `csum_start`, bytes
};

/// Sends and receives the frames of a device, at its other end.
class FrameSocket {
 public:
  explicit FrameSocket(const std::string& device)
      : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    auto netlink = must(NetlinkSocket::open());
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = static_cast<int>(must(find_link(netlink, device)).value().ifindex);
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0)
      must(Result<>(sys_error(errno, "bind to " + device)));
  }
  void send(const Frame& frame) const {
    EXPECT_EQ(::send(fd_.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  }
  /// Asks the kernel for a checksum over the bytes from `start` on, which it writes when the frame
  /// leaves the node, `offset` bytes behind `start`. The kernel wants `start` to be 20 or more.
  void send_with_late_checksum(const Frame& frame, std::uint16_t start,
                               std::uint16_t offset) const {
    const int with_header = 1;
    ASSERT_EQ(::setsockopt(fd_.get(), SOL_PACKET, PACKET_VNET_HDR, &with_header, sizeof(int)), 0);
    const VirtioNetHeader header{.csum_start = start, .csum_offset = offset};
    Frame both(sizeof(header));
    std::memcpy(both.data(), &header, sizeof(header));
    both.insert(both.end(), frame.begin(), frame.end());
    EXPECT_EQ(::send(fd_.get(), both.data(), both.size(), 0), static_cast<ssize_t>(both.size()));
  }
  /// The next frame for which `wanted` is true; empty: none came in time.
  template <typename Wanted>
  Frame receive(Wanted wanted) const {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < end) {
      pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 100) <= 0) continue;
      Frame frame(4096);
      const ssize_t size = ::recv(fd_.get(), frame.data(), frame.size(), 0);
      frame.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
      if (wanted(frame)) return frame;
    }
    return {};
  }

 private:
  UniqueFd fd_;
};

}  // namespace kubecni::test
