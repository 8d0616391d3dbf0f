#include "udp_stream.hpp"

#include "support/eventually.hpp"
#include "support/socket.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <stdexcept>

namespace kubecni::test {

namespace {

constexpr std::uint16_t kPort = 6002;
constexpr std::chrono::milliseconds kTick{1};
constexpr std::chrono::milliseconds kDrain{2000};
// A sender that was held up does not send everything at once: that would fill queues.
constexpr unsigned kMostAtOnce = 64;
// The receiver may be held up for seconds on a busy machine.
constexpr int kReceiveBuffer = 256 << 20;

/// By the clock of the kernel's time stamps.
std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::int64_t arrival_ns(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(part), sizeof(stamp));
    return stamp.tv_sec * 1'000'000'000LL + stamp.tv_nsec;
  }
  return now_ns();
}

}  // namespace

UdpStream::UdpStream(const NetNs& client, const NetNs& server, const IpAddr& to,
                     unsigned per_second)
    : per_second_(per_second),
      client_(open_socket(client, to.family(), SOCK_DGRAM)),
      server_(open_socket(server, to.family(), SOCK_DGRAM)) {
  const int yes = 1;
  ::setsockopt(server_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
  ::setsockopt(server_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes));
  bind_port(server_.get(), to.family(), kPort);
  const SocketAddress remote(to, kPort);
  if (::connect(client_.get(), remote.raw(), remote.size()) != 0)
    throw std::runtime_error("cannot send to " + to.str());
  receiver_ = std::thread([this] { receive_all(); });
  sender_ = std::thread([this] { send_all(); });
}

UdpStream::~UdpStream() {
  stopped_ = true;
  sender_.join();
  receiver_.join();
}

void UdpStream::send_all() {
  std::array<char, 128> datagram{};
  auto due = Clock::now();
  const auto pace = std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second_;
  while (!stopped_) {
    unsigned at_once = 0;
    for (; due <= Clock::now() && at_once < kMostAtOnce; due += pace, ++at_once) {
      const Label label{sent_, now_ns()};
      std::memcpy(datagram.data(), &label, sizeof(label));
      // Counts as lost if the kernel refuses it: the path is not whole.
      (void)::send(client_.get(), datagram.data(), datagram.size(), 0);
      ++sent_;
    }
    if (at_once == kMostAtOnce) due = Clock::now();
    std::this_thread::sleep_for(kTick);
  }
}

void UdpStream::receive_all() {
  std::array<char, 256> datagram;
  std::array<char, 256> control;
  while (!stopped_) {
    pollfd ready{server_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 20) <= 0) continue;
    while (true) {
      iovec bytes{datagram.data(), datagram.size()};
      msghdr message{};
      message.msg_iov = &bytes;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const ssize_t size = ::recvmsg(server_.get(), &message, MSG_DONTWAIT);
      Label label{};
      if (size < static_cast<ssize_t>(sizeof(label))) break;
      std::memcpy(&label, datagram.data(), sizeof(label));
      note(label, arrival_ns(message));
    }
  }
}

void UdpStream::note(const Label& label, std::int64_t arrived_ns) {
  const std::scoped_lock lock(mutex_);
  if (label.number >= has_arrived_.size()) has_arrived_.resize(label.number + 4096);
  if (has_arrived_[label.number]) return;  // twice
  has_arrived_[label.number] = true;
  ++arrived_;
  if (last_arrived_ns_ != 0 && label.number > last_.number) {
    const std::int64_t between = arrived_ns - last_arrived_ns_;
    const bool is_next = label.number == last_.number + 1;
    longest_gap_ns_ =
        std::max(longest_gap_ns_, is_next ? between - (label.sent_ns - last_.sent_ns) : between);
  }
  last_ = label;
  last_arrived_ns_ = arrived_ns;
}

std::uint64_t UdpStream::arrived() const {
  const std::scoped_lock lock(mutex_);
  return arrived_;
}

UdpStream::Figures UdpStream::take() {
  const std::uint64_t sent = sent_;
  // Those of before the last call may come late, too, but no more than was lost.
  (void)eventually([&] { return arrived() + lost_before_ >= sent; }, kDrain);
  const std::scoped_lock lock(mutex_);
  const auto end = has_arrived_.begin() +
                   static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(sent, has_arrived_.size()));
  const auto arrived = static_cast<std::uint64_t>(std::count(has_arrived_.begin(), end, true));
  const std::uint64_t lost = sent - arrived;
  const Figures figures{sent - sent_before_, lost > lost_before_ ? lost - lost_before_ : 0,
                        std::chrono::microseconds(longest_gap_ns_ / 1000)};
  sent_before_ = sent;
  lost_before_ = std::max(lost, lost_before_);
  longest_gap_ns_ = 0;
  return figures;
}

}  // namespace kubecni::test
