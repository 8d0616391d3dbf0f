#include "metrics/http_server.hpp"

#include "base/file.hpp"
#include "support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

namespace kubecni::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

// Longer than any test may take, so that nobody is cut off.
constexpr auto kNever = 1h;

HttpAnswer answer(std::string_view path) {
  if (path == "/here") return {.body = "found\n"};
  if (path == "/large") return {.body = std::string(32 << 20, 'x') + "END"};
  return {.status = 404, .body = "nothing here\n"};
}

class HttpClients : public testing::Test {
 protected:
  void start(std::chrono::milliseconds deadline = kNever) {
    server = must(HttpServer::start({*IpAddr::parse("127.0.0.1"), 0}, answer, deadline));
  }

  /// A connected socket. The kernel accepts connections even if the server is busy.
  [[nodiscard]] UniqueFd connect() const {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server->address().port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    return fd;
  }
  static void send(const UniqueFd& fd, const std::string& text) {
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  /// What arrives until the server closes.
  static std::string read_to_end(const UniqueFd& fd) {
    std::string all;
    std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) return all;
      all.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  static std::size_t open_files() { return must(list_directory("/proc/self/fd")).size(); }
  [[nodiscard]] std::string ask(const std::string& line) const {
    const UniqueFd fd = connect();
    send(fd, line + " HTTP/1.1\r\nHost: node\r\n\r\n");
    return read_to_end(fd);
  }

  std::unique_ptr<HttpServer> server;
};

TEST_F(HttpClients, GetWhatTheHandlerHasAndAreLetGo) {
  start();

  const std::string got = ask("GET /here");

  EXPECT_THAT(got, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(got, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(got, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(got, EndsWith("\r\n\r\nfound\n"));
}

TEST_F(HttpClients, GetAnAnswerThatFitsIntoNoBuffer) {
  start();

  EXPECT_THAT(ask("GET /large"), EndsWith("xxxEND"));
}

TEST_F(HttpClients, ThatSendHeadGetNoBody) {
  start();

  const std::string got = ask("HEAD /here");

  EXPECT_THAT(got, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(got, EndsWith("\r\n\r\n"));
}

TEST_F(HttpClients, GetTheHandlersStatus) {
  start();

  EXPECT_THAT(ask("GET /there"), StartsWith("HTTP/1.1 404"));
}

TEST_F(HttpClients, WithAnotherMethodAreToldWhichThereAre) {
  start();

  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const std::string got = ask(std::string(method) + " /here");
    EXPECT_THAT(got, StartsWith("HTTP/1.1 405")) << method;
    EXPECT_THAT(got, HasSubstr("Allow: GET, HEAD\r\n"));
  }
}

TEST_F(HttpClients, NonHttpClientsAreDisconnected) {
  start(300ms);

  for (const std::string& bytes : {std::string(100'000, 'x'), std::string("\0\1\2\r\n\r\n", 7),
                                   std::string("GET\r\n\r\n"), std::string("\x16\x03\x01\x02")}) {
    const UniqueFd fd = connect();
    ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(fd.get(), SHUT_WR);
    EXPECT_THAT(read_to_end(fd), testing::Not(HasSubstr("200")));
  }

  EXPECT_THAT(ask("GET /here"), EndsWith("found\n"));
}

TEST_F(HttpClients, AreAllServedWhenTheyComeAtOnce) {
  start();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(connect());
    send(clients.back(), "GET /here HTTP/1.1\r\nHost: node\r\n\r\n");
  }

  for (const auto& client : clients) EXPECT_THAT(read_to_end(client), EndsWith("found\n"));
}

TEST_F(HttpClients, ThatSayNothingDoNotBlockOthers) {
  start();  // nobody is cut off for being late
  std::vector<UniqueFd> silent;
  for (unsigned i = 0; i < 4 * HttpServer::kMaxConnections; ++i) {
    silent.push_back(connect());
    if (i % 2 == 0) send(silent.back(), "GET /here HTTP/1.1\r\nX-Slow: ");
  }

  EXPECT_THAT(ask("GET /here"), EndsWith("found\n"));
}

TEST_F(HttpClients, ThatSayNothingAreCutOffAtTheDeadline) {
  start(300ms);
  std::vector<UniqueFd> silent;
  for (unsigned i = 0; i < 2 * HttpServer::kMaxConnections; ++i) silent.push_back(connect());

  for (const auto& client : silent) EXPECT_EQ(read_to_end(client), "");
}

TEST_F(HttpClients, ThatSendAByteNowAndThenAreCutOff) {
  start(300ms);
  const UniqueFd slow = connect();
  send(slow, "GET /here HTTP/1.1\r\nX: ");

  EXPECT_TRUE(eventually([&] {
    ::send(slow.get(), "x", 1, MSG_NOSIGNAL);
    pollfd closed{.fd = slow.get(), .events = POLLRDHUP};
    return ::poll(&closed, 1, 10) == 1;
  }));
}

TEST_F(HttpClients, ThatDoNotReadAreCutOff) {
  start(1s);
  const auto before = open_files();
  const UniqueFd slow = connect();
  send(slow, "GET /large HTTP/1.1\r\nHost: node\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return open_files() == before + 2; }));

  EXPECT_TRUE(eventually([&] { return open_files() == before + 1; }));
  EXPECT_THAT(read_to_end(slow), testing::Not(EndsWith("END")));
}

TEST_F(HttpClients, DoNotKeepTheServerFromEnding) {
  start();
  const UniqueFd silent = connect();
  const UniqueFd slow = connect();
  send(slow, "GET /here HTTP/1.1\r\n");
  EXPECT_THAT(ask("GET /here"), EndsWith("found\n"));  // the server has accepted both

  server.reset();

  EXPECT_EQ(read_to_end(silent), "");
  EXPECT_EQ(read_to_end(slow), "");
}

TEST_F(HttpClients, LeaveNoDescriptor) {
  start();
  const auto before = open_files();

  for (int i = 0; i < 50; ++i) connect().reset();
  EXPECT_THAT(ask("GET /here"), EndsWith("found\n"));

  EXPECT_TRUE(eventually([&] { return open_files() == before; }));
}

TEST(Server, ListensOnIpv6) {
  const auto server = HttpServer::start({*IpAddr::parse("::1"), 0}, answer);

  ASSERT_TRUE(server) << server.error().what;
  EXPECT_THAT((*server)->address().str(), StartsWith("[::1]:"));
  EXPECT_NE((*server)->address().port, 0);
}

TEST(Server, SaysWhenTheAddressIsInUse) {
  const auto first = must(HttpServer::start({*IpAddr::parse("127.0.0.1"), 0}, answer));

  const auto second = HttpServer::start(first->address(), answer);

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  EXPECT_THAT(second.error().what, HasSubstr(first->address().str()));
}

}  // namespace
}  // namespace kubecni::test
