#include "support/udp.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace kubecni::test {

namespace {

struct DatagramAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

DatagramAddress socket_address(const IpAddr& addr, std::uint16_t port) {
  DatagramAddress result;
  if (addr.is_v4()) {
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
    std::memcpy(&v4.sin_addr, addr.data(), 4);
    std::memcpy(&result.storage, &v4, result.size = sizeof(v4));
    return result;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, addr.data(), 16);
  std::memcpy(&result.storage, &v6, result.size = sizeof(v6));
  return result;
}

void tell_sender(const DatagramAddress& address, Datagram& datagram) {
  if (address.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
    std::uint8_t bytes[4];
    std::memcpy(bytes, &v4.sin_addr, sizeof(bytes));
    datagram.from = IpAddr::v4(bytes);
    datagram.port = ntohs(v4.sin_port);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
    std::uint8_t bytes[16];
    std::memcpy(bytes, &v6.sin6_addr, sizeof(bytes));
    datagram.from = IpAddr::v6(bytes);
    datagram.port = ntohs(v6.sin6_port);
  }
}

}  // namespace

UdpSocket::UdpSocket(const NetNs& netns, const IpAddr& addr, std::uint16_t port) {
  netns.enter([&] { fd_.reset(::socket(addr.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
  auto address = socket_address(addr, port);
  if (!fd_ || ::bind(fd_.get(), address.get(), address.size) != 0)
    throw std::runtime_error("UDP socket in " + netns.name() + ": " + std::strerror(errno));
}

Result<> UdpSocket::send(const IpAddr& to, std::uint16_t port, const std::string& text) const {
  auto address = socket_address(to, port);
  if (::sendto(fd_.get(), text.data(), text.size(), 0, address.get(), address.size) < 0)
    return sys_error(errno, "send to " + to.str());
  return {};
}

Result<Datagram> UdpSocket::receive(std::chrono::milliseconds deadline) const {
  pollfd ready{fd_.get(), POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(deadline.count())) <= 0)
    return sys_error(ETIMEDOUT, "receive a datagram");
  char buffer[2048];
  DatagramAddress from;
  const auto size = ::recvfrom(fd_.get(), buffer, sizeof(buffer), 0, from.get(), &from.size);
  if (size < 0) return sys_error(errno, "receive a datagram");
  Datagram datagram{.text = std::string(buffer, static_cast<std::size_t>(size)), .from = {}};
  tell_sender(from, datagram);
  return datagram;
}

Result<Datagram> ask(const UdpSocket& client, const UdpSocket& server, const IpAddr& to,
                     std::uint16_t port, const std::string& text) {
  if (auto sent = client.send(to, port, text); !sent) return fail(sent);
  auto question = server.receive();
  if (!question) return fail(question, "the question");
  if (auto sent = server.send(question->from, question->port, "to " + question->text); !sent)
    return fail(sent);
  auto answer = client.receive();
  if (!answer) return fail(answer, "the answer");
  if (question->text != text || answer->text != "to " + text || answer->from != to)
    return failure(EBADMSG, "got " + answer->text + " from " + answer->from.str());
  return question;
}

}  // namespace kubecni::test
