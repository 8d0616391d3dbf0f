#include "control/probe/prober.hpp"

#include "base/signals.hpp"
#include "base/socket_address.hpp"
#include "control/probe/icmp_error.hpp"
#include "net/neighbour.hpp"
#include "net/netlink.hpp"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

namespace kubecni {

namespace {

constexpr int kMostAtOnce = 64;
// Between looks at the sockets that found something, but for the first one: who fills them does not
// keep a CPU busy, and an answer alone costs no second wake-up.
constexpr std::chrono::milliseconds kRest{10};

/// 0: the kernel chooses.
Result<UniqueFd> bound_socket(const IpAddr& own, std::uint16_t port) {
  UniqueFd fd(::socket(own.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return sys_error(errno, "probe: make a socket");
  const auto address = SocketAddress::of(own, port);
  if (::bind(fd.get(), address.get(), address.size) != 0)
    return sys_error(errno, "probe: UDP port " + std::to_string(port) + " of " + own.str());
  return fd;
}

/// For questions: it is told of ICMP errors.
Result<UniqueFd> asking_socket(const IpAddr& own) {
  auto fd = bound_socket(own, 0);
  if (!fd) return fail(fd);
  const int on = 1;
  const bool v4 = own.is_v4();
  if (::setsockopt(fd->get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on,
                   sizeof(on)) != 0)
    return sys_error(errno, "probe: be told of ICMP errors");
  return fd;
}

std::uint16_t own_port(int fd) {
  SocketAddress own;
  std::ignore = ::getsockname(fd, own.get(), &own.size);
  return own.port();
}

/// How many of the last bits of an address are as those of a probe address: of IPv4 0, of IPv6 1;
/// 32 at most.
unsigned form_bits(const IpAddr& address) {
  std::uint32_t last = 0;
  for (unsigned i = address.bytes() - 4; i < address.bytes(); ++i)
    last = last << 8 | address.data()[i];
  return static_cast<unsigned>(std::countr_zero(address.is_v4() ? last : ~last));
}

/// Lets in only senders whose addresses end as those of all targets do. No pod has such an address,
/// unless PodCIDRs differ much in size. `bits` are 32 where there is no target.
void filter_senders(int fd, int family, unsigned bits) {
  const bool v4 = family == AF_INET;
  const std::uint32_t mask = bits >= 32 ? 0xffff'ffff : (1U << bits) - 1;
  const auto source = static_cast<std::uint32_t>(SKF_NET_OFF) + (v4 ? 12U : 20U);
  sock_filter code[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, source},
      {BPF_ALU | BPF_AND | BPF_K, 0, 0, mask},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, v4 ? 0 : mask},
      {BPF_RET | BPF_K, 0, 0, 0xffff'ffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  const sock_fprog program{.len = std::size(code), .filter = code};
  // Without it strangers only cost more.
  std::ignore = ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void send_to(int fd, const IpAddr& to, std::uint16_t port, std::span<const std::uint8_t> bytes) {
  const auto address = SocketAddress::of(to, port);
  // An earlier ICMP error is told once, instead of sending. What is not sent is not answered.
  for (int attempt = 0; attempt < 2; ++attempt)
    if (::sendto(fd, bytes.data(), bytes.size(), 0, address.get(), address.size) >= 0) return;
}

/// VXLAN, RFC 7348, and an Ethernet header around the packet.
std::vector<std::uint8_t> in_tunnel(std::uint32_t vni, const MacAddr& to, const MacAddr& from,
                                    int family, const std::vector<std::uint8_t>& packet) {
  std::vector<std::uint8_t> bytes{0x08, 0, 0, 0};
  for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<std::uint8_t>(vni >> shift));
  bytes.push_back(0);
  bytes.insert(bytes.end(), to.bytes.begin(), to.bytes.end());
  bytes.insert(bytes.end(), from.bytes.begin(), from.bytes.end());
  const std::uint16_t type = family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
  bytes.push_back(static_cast<std::uint8_t>(type >> 8));
  bytes.push_back(static_cast<std::uint8_t>(type));
  bytes.insert(bytes.end(), packet.begin(), packet.end());
  return bytes;
}

void wake(int fd) {
  const std::uint64_t one = 1;
  std::ignore = ::write(fd, &one, sizeof(one));
}

void drain(int fd) {
  std::uint64_t count = 0;
  std::ignore = ::read(fd, &count, sizeof(count));
}

}  // namespace

Prober::Prober(ProbeSelf self, ProbeTable& table)
    : self_(std::move(self)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      news_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      table_(table),
      told_(table.version()) {}

Result<> Prober::open_at(const IpAddr& own, bool is_pods) {
  auto answers = bound_socket(own, self_.port);
  if (!answers) return fail(answers);
  auto asks = asking_socket(own);
  if (!asks) return fail(asks);
  const auto port = own_port(asks->get());
  sockets_.push_back({std::move(*answers), own.family(), is_pods, false, self_.port});
  sockets_.push_back({std::move(*asks), own.family(), is_pods, true, port});
  return {};
}

Result<> Prober::open_in_pod() {
  if (!wake_ || !news_) return sys_error(EMFILE, "probe: eventfd");
  for (const IpNet& net : self_.nets) {
    if (auto opened = open_at(net.addr, true); !opened) return opened;
  }
  return {};
}

Result<std::unique_ptr<Prober>> Prober::start(int netns_fd, const ProbeSelf& self,
                                              ProbeTable& table) {
  std::unique_ptr<Prober> prober(new Prober(self, table));
  Result<> opened;
  try {
    // A namespace belongs to a thread, and the loop's stays where it is.
    std::thread([&] {
      if (::setns(netns_fd, CLONE_NEWNET) != 0)
        opened = sys_error(errno, "probe: enter its namespace");
      else
        opened = prober->open_in_pod();
    }).join();
    if (!opened) return fail(opened);
    for (const IpAddr& own : self.node_addresses) {
      if (auto done = prober->open_at(own, false); !done)
        prober->problems_.push_back(done.error().what);
      if (auto fd = asking_socket(own))
        prober->tunnels_.push_back({std::move(*fd), own.family(), false, true, 0});
    }
    prober->packets_ = UniqueFd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    prober->thread_ = std::thread(&Prober::run, prober.get());
  } catch (const std::system_error& error) {
    return sys_error(error.code().value(), "probe: start a thread");
  }
  return prober;
}

Prober::~Prober() {
  stopping_ = true;
  wake(wake_.get());
  if (thread_.joinable()) thread_.join();
}

void Prober::set_targets(std::vector<ProbeTarget> targets, const ProbeFacts& facts) {
  const std::lock_guard lock(mutex_);
  const bool was_idle = table_.idle() > ProbeTable::kTick;
  for (const Socket& socket : sockets_) {
    if (!socket.is_pods) continue;
    unsigned bits = 32;
    for (const ProbeTarget& target : targets)
      if (target.address.family() == socket.family)
        bits = std::min(bits, form_bits(target.address));
    filter_senders(socket.fd.get(), socket.family, bits);
  }
  // Who cannot ask directly would never come back.
  if (!packets_)
    for (ProbeTarget& target : targets) target.direct.reset();
  for (ProbeTarget& target : targets)
    target.can_ask_node = find_asking(target.node_address.family(), false) != nullptr;
  table_.set_targets(std::move(targets));
  facts_ = facts;
  if (was_idle) wake(wake_.get());
}

ProbeReport Prober::report() const {
  const std::lock_guard lock(mutex_);
  return table_.report(facts_);
}

void Prober::take_news() const { drain(news_.get()); }

const IpNet* Prober::own_net(int family) const {
  for (const IpNet& net : self_.nets)
    if (net.addr.family() == family) return &net;
  return nullptr;
}

const Prober::Socket* Prober::find_asking(int family, bool is_pods) const {
  for (const Socket& socket : sockets_)
    if (socket.asks && socket.family == family && socket.is_pods == is_pods) return &socket;
  return nullptr;
}

void Prober::send(const ProbeTarget& target, const ProbeMessage& question) {
  const bool is_node = question.way == ProbeWay::kNode;
  const IpAddr& to = is_node ? target.node_address : target.address;
  const Socket* socket = find_asking(to.family(), !is_node);
  if (!socket) return;
  const UdpPorts ports{.from = socket->port, .to = self_.port};
  switch (question.way) {
    case ProbeWay::kPods:
    case ProbeWay::kNode:
      return send_to(socket->fd.get(), to, self_.port, encode(question));
    case ProbeWay::kTunnel:
      return send_in_tunnel(target, question, ports);
    case ProbeWay::kDirect:
      return send_directly(target, question, ports);
  }
}

void Prober::send_in_tunnel(const ProbeTarget& target, const ProbeMessage& message,
                            const UdpPorts& ports) {
  const int family = target.address.family();
  const IpNet* own = own_net(family);
  if (!own || !target.tunnel) return;
  const auto packet = udp_packet(own->addr, target.address, ports, encode(message));
  const auto inner = in_tunnel(self_.vni, target.tunnel->mac, self_.tunnel_mac, family, packet);
  for (const Socket& socket : tunnels_)
    if (socket.family == target.tunnel->endpoint.family())
      return send_to(socket.fd.get(), target.tunnel->endpoint, self_.tunnel_port, inner);
}

void Prober::send_directly(const ProbeTarget& target, const ProbeMessage& question,
                           const UdpPorts& ports) {
  const int family = target.address.family();
  const IpNet* own = own_net(family);
  if (!own || !target.direct || !packets_) return;
  auto netlink = NetlinkSocket::open();
  auto mac = netlink ? find_mac_of(*netlink, target.direct->ifindex, target.direct->next_hop)
                     : fail(netlink);
  if (!mac || !*mac) {
    // Makes the kernel look for it.
    const Socket* socket = find_asking(target.direct->next_hop.family(), false);
    if (socket) send_to(socket->fd.get(), target.direct->next_hop, self_.port, {});
    return;
  }
  const auto packet = udp_packet(own->addr, target.address, ports, encode(question));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
  to.sll_ifindex = static_cast<int>(target.direct->ifindex);
  to.sll_halen = ETH_ALEN;
  std::ranges::copy((*mac)->bytes, to.sll_addr);
  std::ignore = ::sendto(packets_.get(), packet.data(), packet.size(), 0,
                         reinterpret_cast<const sockaddr*>(&to), sizeof(to));
}

void Prober::ask() {
  const auto now = ProbeTable::Clock::now();
  if (now < ask_at_) return;
  // Copies, since set_targets() may come while they are sent.
  std::vector<std::pair<ProbeTarget, ProbeMessage>> questions;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [target, message] : table_.ask(now)) questions.emplace_back(*target, message);
    ask_at_ = now + table_.idle();
  }
  for (const auto& [target, message] : questions) send(target, message);
}

void Prober::answer(const Socket& socket, ProbeMessage question, const IpAddr& from,
                    std::uint16_t from_port) {
  std::optional<ProbeTarget> asker;
  {
    const std::lock_guard lock(mutex_);
    if (const ProbeTarget* found = table_.find_asker(from, question.way)) asker = *found;
    question.flags.drops_forwarded = facts_.drops_forwarded;
  }
  if (!asker || !budget_.spend(from, ProbeTable::Clock::now())) return;
  question.is_answer = true;
  question.flags.probes_v4 = own_net(AF_INET) != nullptr;
  question.flags.probes_v6 = own_net(AF_INET6) != nullptr;
  // Who asks through the tunnel may not be reached in another way.
  if (question.way == ProbeWay::kTunnel && asker->tunnel)
    return send_in_tunnel(*asker, question, {.from = self_.port, .to = from_port});
  send_to(socket.fd.get(), from, from_port, encode(question));
}

void Prober::read(const Socket& socket) {
  for (int i = 0; i < kMostAtOnce; ++i) {
    std::array<std::uint8_t, 64> bytes;
    SocketAddress from;
    const ssize_t size =
        ::recvfrom(socket.fd.get(), bytes.data(), bytes.size(), 0, from.get(), &from.size);
    if (size < 0 && errno == EAGAIN) return;
    // An ICMP error is told in place of a packet, which is still there.
    if (size < 0) continue;
    const auto message = decode_probe(std::span(bytes).first(static_cast<std::size_t>(size)));
    const bool is_node = message && message->way == ProbeWay::kNode;
    if (!message || message->is_answer != socket.asks || is_node == socket.is_pods) continue;
    const IpAddr sender = ip_of(from.get());
    const std::uint16_t port = from.port();
    if (!message->is_answer) {
      answer(socket, *message, sender, port);
    } else if (port == self_.port) {
      const std::lock_guard lock(mutex_);
      table_.take_answer(*message, sender, ProbeTable::Clock::now());
    }
  }
}

void Prober::read_refusals(const Socket& socket) {
  for (int i = 0; i < kMostAtOnce; ++i) {
    std::array<std::uint8_t, 64> bytes;
    alignas(cmsghdr) std::array<char, 512> control{};
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket.fd.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (size < 0) return;
    const auto question = decode_probe(std::span(bytes).first(static_cast<std::size_t>(size)));
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at && question; at = CMSG_NXTHDR(&message, at)) {
      const bool v4 = at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR;
      const bool v6 = at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR;
      if (!v4 && !v6) continue;
      const auto* error = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(at));
      const sockaddr* sender = SO_EE_OFFENDER(error);
      if (sender->sa_family == AF_UNSPEC) continue;
      const auto refusal = refusal_of(*error, ip_of(sender));
      const std::lock_guard lock(mutex_);
      if (refusal) table_.take_refusal(*question, *refusal);
    }
  }
}

void Prober::run() {
  block_all_signals();
  ::pthread_setname_np(::pthread_self(), "probe");
  std::vector<pollfd> events{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  for (const Socket& socket : sockets_)
    events.push_back({.fd = socket.fd.get(), .events = POLLIN, .revents = 0});
  while (!stopping_) {
    ask();
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(ask_at_ - ProbeTable::Clock::now());
    ::poll(events.data(), events.size(), static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
    if (events[0].revents != 0) {
      drain(wake_.get());
      ask_at_ = {};
    }
    bool has_read = false;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      const auto revents = events[i + 1].revents;
      // Answers first: errors explain why there is none.
      if (revents != 0) read(sockets_[i]);
      if ((revents & POLLERR) != 0) read_refusals(sockets_[i]);
      has_read = has_read || revents != 0;
    }
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(told_, table_.version()) != table_.version()) wake(news_.get());
    }
    if (!has_read || stopping_) continue;
    const auto now = ProbeTable::Clock::now();
    if (now - std::exchange(read_at_, now) < kRest) std::this_thread::sleep_for(kRest);
  }
}

}  // namespace kubecni
