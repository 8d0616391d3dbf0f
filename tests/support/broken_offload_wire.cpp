#include "support/broken_offload_wire.hpp"

#include "support/capture.hpp"
#include "support/node.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace kubecni::test {

namespace {

constexpr int kStopCheckMs = 50;
constexpr std::uint8_t kNeedsChecksum = 1;

/// virtio_net_hdr of <linux/virtio_net.h>, which is not valid C++ ("class" is a member).
struct Offload {
  std::uint8_t flags;
  std::uint8_t gso_type;
  std::uint16_t header_bytes;
  std::uint16_t gso_bytes;
  std::uint16_t checksum_start;
  std::uint16_t checksum_offset;
};

UniqueFd open_relay_socket(const std::string& link) {
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes));
  ::setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(link.c_str()));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("cannot relay frames of " + link + ": " + std::strerror(errno));
  return fd;
}

}  // namespace

BrokenOffloadWire::BrokenOffloadWire(const NetNs& one,
                                     const std::vector<std::string>& addresses_one,
                                     const NetNs& other,
                                     const std::vector<std::string>& addresses_other,
                                     std::uint16_t tunnel_port)
    : tunnel_port_(tunnel_port) {
  const std::array netns{&one, &other};
  const std::array addresses{&addresses_one, &addresses_other};
  for (std::size_t i = 0; i < 2; ++i) {
    links_[i] = "broken-" + std::to_string(i + 1);
    must_run({.argv = {"ip", "link", "add", links_[i], "type", "veth", "peer", "name", "eth0",
                       "netns", netns[i]->name()}});
    must_run({.argv = {"ip", "link", "set", links_[i], "up"}});
    for (const auto& address : *addresses[i])
      Node::must_run_in(*netns[i], {"ip", "addr", "add", address, "dev", "eth0", "nodad"});
    Node::must_run_in(*netns[i], {"ip", "link", "set", "eth0", "up"});
    sockets_[i] = open_relay_socket(links_[i]);
  }
  thread_ = std::thread([this] { relay(); });
}

BrokenOffloadWire::~BrokenOffloadWire() {
  stop_ = true;
  thread_.join();
  for (const auto& link : links_) run({.argv = {"ip", "link", "del", link}});
}

void BrokenOffloadWire::relay() {
  while (!stop_) {
    std::array<pollfd, 2> ready{{{sockets_[0].get(), POLLIN, 0}, {sockets_[1].get(), POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), kStopCheckMs) <= 0) continue;
    if (ready[0].revents) pass_on(sockets_[0].get(), sockets_[1].get());
    if (ready[1].revents) pass_on(sockets_[1].get(), sockets_[0].get());
  }
}

void BrokenOffloadWire::pass_on(int from, int to) {
  static thread_local std::vector<std::uint8_t> buffer(256 * 1024);
  while (!stop_) {
    const ssize_t size = ::recv(from, buffer.data(), buffer.size(), 0);
    if (size <= 0) return;
    Offload offload{};
    if (size < static_cast<ssize_t>(sizeof(offload))) continue;
    std::memcpy(&offload, buffer.data(), sizeof(offload));
    const auto headers = parse_frame(std::span(buffer).subspan(
        sizeof(offload), static_cast<std::size_t>(size) - sizeof(offload)));
    const bool tunnel =
        headers && headers->protocol == IPPROTO_UDP && headers->dst_port == tunnel_port_;
    if (tunnel && (offload.flags & kNeedsChecksum)) {
      // Packets that also needed cutting do not fit the wire, and are lost.
      std::memset(buffer.data(), 0, sizeof(offload));
      ++spoilt_;
    }
    (void)::send(to, buffer.data(), static_cast<std::size_t>(size), 0);
  }
}

}  // namespace kubecni::test
