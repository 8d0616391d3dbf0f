#include "support/http2_proxy.hpp"

#include "support/relay.hpp"
#include "test_api_server/certificate.hpp"

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

std::string Http2Proxy::what_is_missing() {
  if (!can_make_certificates()) return "no openssl program";
  return ::access(kProgram, X_OK) == 0 ? "" : "no nghttpx (package nghttp2-proxy)";
}

Http2Proxy::Http2Proxy(int backend_port) : port_(free_port()) {
  if (auto made = make_certificate(dir_.path(), "server"); !made)
    throw std::runtime_error(made.error().what);
  process_ = std::make_unique<Process>(
      Command{.argv = {kProgram, "--conf=/dev/null", "--workers=1", "--no-ocsp",
                       "--frontend=127.0.0.1," + std::to_string(port_),
                       "--backend=127.0.0.1," + std::to_string(backend_port), dir_ / "server.key",
                       ca_file()}});
  if (!eventually([&] { return accepts(port_); }))
    throw std::runtime_error("nghttpx does not serve: " + process_->err());
}

}  // namespace kubecni::test
