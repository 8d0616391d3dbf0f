#include "support/capture.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace kubecni::test {

namespace {

constexpr std::size_t kVxlanHeader = 8;
constexpr std::size_t kUdpHeader = 8;
constexpr int kBufferBytes = 64 << 20;
/// Of each frame: all of it, if it is one packet of a NIC.
constexpr std::size_t kSnapBytes = 2048;

std::uint16_t get16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

MacAddr get_mac(std::span<const std::uint8_t> bytes, std::size_t at) {
  MacAddr mac;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 6, mac.bytes.begin());
  return mac;
}

IpAddr get_ip(std::span<const std::uint8_t> bytes, std::size_t at, bool v4) {
  std::uint8_t raw[16];
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), v4 ? 4 : 16, raw);
  return v4 ? IpAddr::v4({raw[0], raw[1], raw[2], raw[3]}) : IpAddr::v6(raw);
}

struct Parsed {
  FrameHeaders headers;
  std::size_t payload_at = 0;  ///< of UDP; 0: it is none
};

void parse_transport(std::span<const std::uint8_t> frame, std::size_t at, Parsed& parsed) {
  const auto protocol = parsed.headers.protocol;
  if ((protocol != IPPROTO_UDP && protocol != IPPROTO_TCP) || frame.size() < at + kUdpHeader)
    return;
  parsed.headers.src_port = get16(frame, at);
  parsed.headers.dst_port = get16(frame, at + 2);
  if (protocol != IPPROTO_UDP) return;
  parsed.headers.udp_checksum = get16(frame, at + 6);
  parsed.payload_at = at + kUdpHeader;
}

std::optional<Parsed> parse(std::span<const std::uint8_t> frame) {
  if (frame.size() < ETH_HLEN) return std::nullopt;
  Parsed parsed;
  FrameHeaders& headers = parsed.headers;
  headers.dst_mac = get_mac(frame, 0);
  headers.src_mac = get_mac(frame, 6);
  headers.ethertype = get16(frame, 12);
  constexpr std::size_t ip = ETH_HLEN;
  if (headers.ethertype == ETH_P_IP && frame.size() >= ip + 20) {
    headers.ttl = frame[ip + 8];
    headers.protocol = frame[ip + 9];
    headers.src = get_ip(frame, ip + 12, true);
    headers.dst = get_ip(frame, ip + 16, true);
    const bool first = (get16(frame, ip + 6) & 0x1fff) == 0;
    if (first) parse_transport(frame, ip + (frame[ip] & 0xfU) * 4, parsed);
  } else if (headers.ethertype == ETH_P_IPV6 && frame.size() >= ip + 40) {
    headers.protocol = frame[ip + 6];
    headers.ttl = frame[ip + 7];
    headers.src = get_ip(frame, ip + 8, false);
    headers.dst = get_ip(frame, ip + 24, false);
    parse_transport(frame, ip + 40, parsed);
  }
  return parsed;
}

UniqueFd open_on(const std::string& name) {
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof(kBufferBytes));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(name.c_str()));
  if (address.sll_ifindex == 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("cannot capture on " + name + ": " + std::strerror(errno));
  return fd;
}

UniqueFd open_on(const NetNs& netns, const std::string& name) {
  UniqueFd fd;
  netns.enter([&] { fd = open_on(name); });
  return fd;
}

std::uint64_t lost_frames(int fd) {
  tpacket_stats stats{};
  socklen_t size = sizeof(stats);
  ::getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
  return stats.tp_drops;
}

bool is_of(const FrameHeaders& headers, const IpAddr& pod) {
  return headers.src == pod || headers.dst == pod;
}

}  // namespace

std::string FrameHeaders::str() const {
  return src_mac.str() + " > " + dst_mac.str() + " " + (src.family() ? src.str() : "?") + ":" +
         std::to_string(src_port) + " > " + (dst.family() ? dst.str() : "?") + ":" +
         std::to_string(dst_port) + " protocol " + std::to_string(protocol) + " ttl " +
         std::to_string(ttl);
}

std::string WireFrame::str() const {
  return outer.str() + (inner ? " [vni " + std::to_string(vni) + " " + inner->str() + "]" : "");
}

std::optional<FrameHeaders> parse_frame(std::span<const std::uint8_t> frame) {
  auto parsed = parse(frame);
  if (!parsed) return std::nullopt;
  return parsed->headers;
}

Capture::Capture(const std::string& name, std::uint16_t vxlan_port)
    : socket_(open_on(name)), vxlan_port_(vxlan_port) {}

Capture::Capture(const NetNs& netns, const std::string& name, std::uint16_t vxlan_port)
    : socket_(open_on(netns, name)), vxlan_port_(vxlan_port) {}

const std::vector<WireFrame>& Capture::frames() {
  std::array<std::uint8_t, kSnapBytes> buffer;
  while (true) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size <= 0) break;
    const std::span<const std::uint8_t> frame(buffer.data(), static_cast<std::size_t>(size));
    const auto parsed = parse(frame);
    if (!parsed) continue;
    WireFrame seen{.outer = parsed->headers,
                   .vni = 0,
                   .inner = {},
                   .bytes = std::vector(frame.begin(), frame.end())};
    const std::size_t at = parsed->payload_at;
    if (at != 0 && seen.outer.dst_port == vxlan_port_ && frame.size() >= at + kVxlanHeader) {
      seen.vni = static_cast<std::uint32_t>(frame[at + 4] << 16 | get16(frame, at + 5));
      seen.inner = parse_frame(frame.subspan(at + kVxlanHeader));
    }
    frames_.push_back(seen);
  }
  if (const auto lost = lost_frames(socket_.get()); lost != 0)
    throw std::runtime_error("the capture lost " + std::to_string(lost) + " frames");
  return frames_;
}

std::vector<WireFrame> Capture::plain(const IpAddr& pod) {
  std::vector<WireFrame> found;
  std::ranges::copy_if(frames(), std::back_inserter(found),
                       [&](const WireFrame& frame) { return is_of(frame.outer, pod); });
  return found;
}

std::vector<WireFrame> Capture::tunnelled(const IpAddr& pod) {
  std::vector<WireFrame> found;
  std::ranges::copy_if(frames(), std::back_inserter(found), [&](const WireFrame& frame) {
    return frame.inner && is_of(*frame.inner, pod);
  });
  return found;
}

void send_frame(const NetNs& netns, const std::string& name, std::span<const std::uint8_t> frame) {
  netns.enter([&] {
    const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex(name.c_str()));
    if (::sendto(socket.get(), frame.data(), frame.size(), 0,
                 reinterpret_cast<const sockaddr*>(&to),
                 sizeof(to)) != static_cast<ssize_t>(frame.size()))
      throw std::runtime_error("cannot send a frame by " + name + ": " + std::strerror(errno));
  });
}

}  // namespace kubecni::test
