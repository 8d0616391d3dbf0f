#include "support/http2_proxy.hpp"

#include "support/relay.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kubecni::test {

namespace {

constexpr const char* kProgram = "/usr/sbin/nghttpx";

bool accepts(int port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

bool Http2Proxy::is_installed() { return ::access(kProgram, X_OK) == 0; }

Http2Proxy::Http2Proxy(int backend_port, const std::filesystem::path& certificate,
                       const std::filesystem::path& key)
    : port_(free_port()) {
  process_ = std::make_unique<Process>(
      Command{.argv = {kProgram, "--conf=/dev/null", "--workers=1", "--no-ocsp",
                       "--frontend=127.0.0.1," + std::to_string(port_),
                       "--backend=127.0.0.1," + std::to_string(backend_port), key, certificate}});
  if (!eventually([&] { return accepts(port_); }))
    throw std::runtime_error("nghttpx does not serve: " + process_->err());
}

}  // namespace kubecni::test
