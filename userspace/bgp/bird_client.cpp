#include "bgp/bird_client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <utility>

namespace kubecni {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kCodeDigits = 4;
constexpr unsigned kFirstError = 8000;
constexpr std::size_t kMaxAnswerBytes = 16 << 20;

/// "1002-text" or "1002 text"; else the line belongs to the code before it.
bool has_code(const std::string& line) {
  return line.size() > kCodeDigits && (line[kCodeDigits] == '-' || line[kCodeDigits] == ' ') &&
         std::all_of(line.begin(), line.begin() + kCodeDigits,
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

bool take_answer(std::string& text, std::vector<BirdLine>& lines) {
  unsigned code = 0;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    if (!has_code(line)) {
      // After '+' are messages to everybody, which are not of this answer.
      if (line.starts_with(' ')) lines.push_back({code, line.substr(1)});
      continue;
    }
    code = static_cast<unsigned>(std::stoul(line.substr(0, kCodeDigits)));
    lines.push_back({code, line.substr(kCodeDigits + 1)});
    if (line[kCodeDigits] == '-') continue;
    text.erase(0, end + 1);
    return true;
  }
  lines.clear();
  return false;
}

Result<BirdClient> BirdClient::connect(const std::filesystem::path& socket,
                                       std::chrono::milliseconds deadline) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (socket.native().size() >= sizeof(address.sun_path))
    return failure(ENAMETOOLONG,
                   "BIRD's socket " + socket.string() +
                       ": the path is longer than 107 bytes; set a shorter --run-dir");
  std::memcpy(address.sun_path, socket.c_str(), socket.native().size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return sys_error(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return sys_error(errno, "connect to BIRD at " + socket.string());
  BirdClient client(std::move(fd), socket);
  auto greeting = client.read_answer(deadline);
  if (!greeting) return fail(greeting);
  return client;
}

Result<std::vector<BirdLine>> BirdClient::read_answer(std::chrono::milliseconds deadline) {
  const auto until = Clock::now() + deadline;
  std::vector<BirdLine> lines;
  while (!take_answer(unread_, lines)) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    pollfd event{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&event, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      return failure(ETIMEDOUT, "BIRD does not answer at " + socket_.string() + " within " +
                                    std::to_string(deadline.count()) +
                                    " ms; its routes stay as they are");
    char buffer[16384];
    const ssize_t got = ::read(fd_.get(), buffer, sizeof(buffer));
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return failure(EPIPE, "BIRD has ended, or closed " + socket_.string());
    unread_.append(buffer, static_cast<std::size_t>(got));
    if (unread_.size() > kMaxAnswerBytes)
      return failure(EFBIG, "BIRD's answer at " + socket_.string() + " does not end");
  }
  return lines;
}

Result<std::vector<BirdLine>> BirdClient::ask(const std::string& command,
                                              std::chrono::milliseconds deadline) {
  const std::string line = command + "\n";
  const ssize_t sent = ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(line.size()))
    return failure(EPIPE, "BIRD takes no command at " + socket_.string());
  auto lines = read_answer(deadline);
  if (!lines) return lines;
  if (lines->back().code >= kFirstError)
    return failure(ECANCELED, "BIRD refuses \"" + command + "\": " + lines->back().text);
  return lines;
}

}  // namespace kubecni
