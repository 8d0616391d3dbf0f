#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "metrics/listen_address.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct MHD_Connection;
struct MHD_Daemon;

namespace kubecni {

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// Answers GET (and HEAD) from one thread, which sleeps otherwise. Meant for a few clients that ask
/// now and then. Others cannot do harm: it holds at most kMaxConnections, and at most
/// kMaxFromOneAddress of one address. When another client comes, it cuts off the one that has been
/// silent for longest: a client that asks at once always gets its answer. A client without its
/// whole answer by the deadline, counted from its connect, is cut off, too, however slowly it sends
/// or reads.
class HttpServer {
 public:
  static constexpr unsigned kMaxConnections = 64;
  static constexpr unsigned kMaxFromOneAddress = 32;
  static constexpr std::chrono::seconds kDeadline{10};

  /// Returns the page at `path`; status 404 if there is none. The server's thread calls it.
  using Handler = std::function<HttpAnswer(std::string_view path)>;

  /// The thread inherits the caller's signal mask and namespace.
  /// Errors: EADDRINUSE, EADDRNOTAVAIL and the others of bind(2).
  static Result<std::unique_ptr<HttpServer>> start(const ListenAddress& address, Handler handler,
                                                   std::chrono::milliseconds deadline = kDeadline);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  /// Cuts off all clients. Waits for a running call of the handler.
  ~HttpServer();

  /// With the kernel's choice of port, if it was to choose.
  [[nodiscard]] const ListenAddress& address() const { return address_; }

 private:
  struct Callbacks;
  using Clock = std::chrono::steady_clock;
  struct Client {
    MHD_Connection* connection;
    int fd;  // the library's
    IpAddr address;
    Clock::time_point deadline;
    bool has_asked = false;
    bool is_cut_off = false;  // the library has not noticed yet
  };
  struct StopDaemon {
    void operator()(MHD_Daemon* daemon) const;
  };

  HttpServer(const ListenAddress& address, Handler handler, std::chrono::milliseconds deadline)
      : address_(address), handler_(std::move(handler)), deadline_(deadline) {}
  Result<> listen();
  void run();
  static void cut_off(Client& client);
  void cut_off_the_late();
  void make_room_for(const IpAddr& newest);
  /// When there is work even without events; -1: never.
  [[nodiscard]] int timeout_ms() const;

  ListenAddress address_;
  Handler handler_;
  std::chrono::milliseconds deadline_;
  std::vector<Client> clients_;  // in the order in which they came
  bool has_room_again_ = false;
  UniqueFd stop_;
  std::unique_ptr<MHD_Daemon, StopDaemon> daemon_;
  std::thread thread_;
};

}  // namespace kubecni
