#include "metrics/http_server.hpp"

#include "base/socket_address.hpp"

#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <span>
#include <system_error>
#include <utility>

namespace kubecni {

namespace {

constexpr int kBacklog = 512;
// A request has one line and some headers, and never a body.
constexpr std::size_t kMemoryPerConnection = 8192;

Result<UniqueFd> open_socket(ListenAddress& address) {
  const auto refuse = [&] { return sys_error(errno, "listen on " + address.str()); };
  auto local = SocketAddress::of(address.addr, address.port);
  UniqueFd fd(::socket(address.addr.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return refuse();
  // Otherwise closed connections of a predecessor would block the port for a minute.
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) return refuse();
  if (::bind(fd.get(), local.get(), local.size) != 0) return refuse();
  if (::listen(fd.get(), kBacklog) != 0) return refuse();
  if (::getsockname(fd.get(), local.get(), &local.size) != 0) return refuse();
  address.port = local.port();
  return fd;
}

MHD_Result send(MHD_Connection* connection, const HttpAnswer& answer) {
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (!response) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
  // An idle connection would take a place that others wait for.
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED)
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  const MHD_Result queued = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

/// The callbacks of libmicrohttpd, on the server's thread.
struct HttpServer::Callbacks {
  static MHD_Result answer(void* server, MHD_Connection* connection, const char* path,
                           const char* method, const char* /*version*/, const char* /*upload*/,
                           std::size_t* /*upload_size*/, void** /*request*/) {
    auto& http = *static_cast<HttpServer*>(server);
    const auto client = std::ranges::find(http.clients_, connection, &Client::connection);
    if (client != http.clients_.end()) client->has_asked = true;
    const std::string_view verb = method;
    if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD)
      return send(connection,
                  {.status = MHD_HTTP_METHOD_NOT_ALLOWED, .body = "only GET and HEAD\n"});
    return send(connection, http.handler_(path));
  }

  static void notice(void* server, MHD_Connection* connection, void** /*context*/,
                     MHD_ConnectionNotificationCode what) {
    auto& http = *static_cast<HttpServer*>(server);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
      std::erase_if(http.clients_, [&](const Client& c) { return c.connection == connection; });
      http.has_room_again_ = true;
      return;
    }
    const int fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const auto* address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    const Client client{connection, fd, ip_of(address), Clock::now() + http.deadline_};
    http.clients_.push_back(client);
    http.make_room_for(client.address);
  }
};

void HttpServer::StopDaemon::operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ListenAddress& address, Handler handler,
                                                      std::chrono::milliseconds deadline) {
  std::unique_ptr<HttpServer> server(new HttpServer(address, std::move(handler), deadline));
  if (auto listening = server->listen(); !listening) return fail(listening);
  try {
    server->thread_ = std::thread([&http = *server] { http.run(); });
  } catch (const std::system_error& error) {
    return sys_error(error.code().value(), "serve on " + address.str() + ": start a thread");
  }
  return server;
}

Result<> HttpServer::listen() {
  stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_) return sys_error(errno, "eventfd");
  auto socket = open_socket(address_);
  if (!socket) return fail(socket);
  // The library closes the descriptor that it gets, once it has started.
  const int given = ::fcntl(socket->get(), F_DUPFD_CLOEXEC, 0);
  if (given < 0) return sys_error(errno, "serve on " + address_.str());
  daemon_.reset(MHD_start_daemon(MHD_USE_EPOLL, address_.port, nullptr, nullptr, &Callbacks::answer,
                                 this, MHD_OPTION_LISTEN_SOCKET, given, MHD_OPTION_CONNECTION_LIMIT,
                                 2 * kMaxConnections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 kMemoryPerConnection, MHD_OPTION_NOTIFY_CONNECTION,
                                 &Callbacks::notice, this, MHD_OPTION_END));
  if (daemon_) return {};
  const int error = errno;
  ::close(given);
  return sys_error(error, "serve on " + address_.str());
}

HttpServer::~HttpServer() {
  if (thread_.joinable()) {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  daemon_.reset();  // calls Callbacks::notice() for each client
}

int HttpServer::timeout_ms() const {
  constexpr auto kMost = static_cast<MHD_UNSIGNED_LONG_LONG>(std::numeric_limits<int>::max());
  MHD_UNSIGNED_LONG_LONG library = 0;
  const bool has_timeout = MHD_get_timeout(daemon_.get(), &library) == MHD_YES;
  const int own = [&] {
    if (clients_.empty()) return -1;
    const auto left = clients_.front().deadline - Clock::now();
    return static_cast<int>(
        std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0));
  }();
  if (!has_timeout) return own;
  const int theirs = static_cast<int>(std::min(library, kMost));
  return own < 0 ? theirs : std::min(own, theirs);
}

/// The library notices a socket that was shut down, and forgets it.
void HttpServer::cut_off(Client& client) {
  ::shutdown(client.fd, SHUT_RDWR);
  client.is_cut_off = true;
}

void HttpServer::cut_off_the_late() {
  for (Client& client : clients_) {
    if (client.deadline > Clock::now()) break;
    cut_off(client);
  }
}

/// Makes room for the last one, which has just come from `newest`. Refusing it would be easier, but
/// then those who came first and say nothing would decide who is served.
void HttpServer::make_room_for(const IpAddr& newest) {
  const auto others = std::span(clients_).first(clients_.size() - 1);
  const auto cut_one_if_above = [&](unsigned most, const auto& is_meant) {
    const auto is_silent = [&](const Client& client) {
      return is_meant(client) && !client.has_asked;
    };
    if (std::ranges::count_if(clients_, is_meant) <= most) return;
    const auto silent = std::ranges::find_if(others, is_silent);
    cut_off(silent != others.end() ? *silent : *std::ranges::find_if(others, is_meant));
  };
  cut_one_if_above(kMaxFromOneAddress, [&](const Client& client) {
    return !client.is_cut_off && client.address == newest;
  });
  cut_one_if_above(kMaxConnections, [](const Client& client) { return !client.is_cut_off; });
}

void HttpServer::run() {
  const int epoll = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  std::array<pollfd, 2> events{pollfd{.fd = stop_.get(), .events = POLLIN},
                               pollfd{.fd = epoll, .events = POLLIN}};
  while (events[0].revents == 0) {
    // libmicrohttpd 0.9.75 stops listening while it has its maximum of clients. It resumes when it
    // is called, but does not ask to be called.
    const bool at_once = std::exchange(has_room_again_, false);
    ::poll(events.data(), events.size(), at_once ? 0 : timeout_ms());
    cut_off_the_late();
    MHD_run(daemon_.get());
  }
}

}  // namespace kubecni
