#include "control/bgp/bird_process.hpp"

#include "base/file.hpp"
#include "base/subprocess.hpp"
#include "base/text.hpp"
#include "state/files.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace kubecni {

namespace fs = std::filesystem;

namespace {

constexpr std::array kBirdPrograms{"/usr/sbin/bird", "/usr/local/sbin/bird"};
constexpr std::chrono::seconds kRunDeadline{10};
constexpr std::chrono::seconds kEndDeadline{5};
constexpr unsigned kSecretMode = 0600;

/// One line of what BIRD says, without its own name.
std::string said(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? "it does not say why" : text;
}

}  // namespace

BirdProcess::BirdProcess(const fs::path& run_dir, fs::path program)
    : program_(std::move(program)),
      config_(run_dir / kBirdConfigFile),
      socket_(run_dir / kBirdSocket),
      pid_file_(run_dir / kBirdPidFile),
      log_(run_dir / kBirdLog) {}

Result<fs::path> BirdProcess::find_program() const {
  if (!program_.empty()) return program_;
  std::error_code none;
  for (const char* program : kBirdPrograms)
    if (fs::exists(program, none)) return program;
  return failure(ENOENT, "BIRD is not installed, there is no " + joined(kBirdPrograms, " and no ") +
                             "; install Debian's package bird2");
}

/// Its output, if it ends well. Errors: ECANCELED it does not, with what it says.
Result<std::string> BirdProcess::run(const std::vector<std::string>& args) const {
  auto program = find_program();
  if (!program) return fail(program);
  auto end = run_subprocess({.program = *program,
                             .args = args,
                             .env = {},
                             .input = {},
                             .deadline = kRunDeadline,
                             .takes_errors = true});
  if (!end) return fail(end);
  if (end->status != 0) return failure(ECANCELED, said(std::move(end->out)));
  return std::move(end->out);
}

std::string BirdProcess::config() const { return read_file(config_).value_or(""); }

Result<> BirdProcess::replace_config(const std::string& text) {
  const fs::path candidate = config_.parent_path() / kBirdNextConfigFile;
  if (auto written = write_file_atomically(candidate, text, kSecretMode); !written)
    return fail(written);
  auto checked = run({"-p", "-c", candidate.string()});
  if (!checked) {
    const bool is_refused = checked.error().code == ECANCELED;
    if (auto deleted = delete_file(candidate); !deleted) return fail(deleted);
    if (!is_refused) return fail(checked, "check BIRD's configuration");
    return failure(EINVAL, "BIRD refuses its new configuration, and goes on with the one before: " +
                               checked.error().what);
  }
  std::error_code error;
  fs::rename(candidate, config_, error);
  if (error)
    return sys_error(error.value(), "rename " + candidate.string() + " to " + config_.string());
  return {};
}

Result<bool> BirdProcess::connect() {
  auto client = BirdClient::connect(socket_);
  if (client) {
    client_.emplace(std::move(*client));
    return true;
  }
  const int code = client.error().code;
  if (code == ENOENT || code == ECONNREFUSED || code == EPIPE) return false;
  return fail(client);
}

bool BirdProcess::is_connected() {
  char byte = 0;
  if (client_ && ::recv(client_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) client_.reset();
  return client_.has_value();
}

Result<> BirdProcess::start(bool recovers) {
  std::vector<std::string> args{"-c", config_.string(),  "-s", socket_.string(),
                                "-P", pid_file_.string()};
  if (recovers) args.emplace_back("-R");
  auto started = run(args);
  if (!started) return fail(started, "start BIRD");
  auto connected = connect();
  if (!connected) return fail(connected);
  if (!*connected)
    return failure(ECANCELED, "BIRD has ended as soon as it was started; see " + log_.string());
  return {};
}

Result<std::vector<BirdLine>> BirdProcess::ask(const std::string& command) {
  if (!client_) return failure(EPIPE, "BIRD does not run");
  auto answer = client_->ask(command);
  if (!answer && answer.error().code != ECANCELED) client_.reset();
  return answer;
}

Result<> BirdProcess::stop() {
  if (!is_connected())
    if (auto connected = connect(); !connected) return fail(connected);
  if (!client_) return {};
  if (auto told = client_->ask("down"); !told && told.error().code != EPIPE) return fail(told);
  pollfd ended{.fd = client_->fd(), .events = POLLIN, .revents = 0};
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(kEndDeadline);
  if (::poll(&ended, 1, static_cast<int>(wait.count())) == 0)
    return failure(ETIMEDOUT, "BIRD does not end, though it was told to; end the process in " +
                                  pid_file_.string());
  client_.reset();
  return {};
}

bool BirdProcess::has_files() const {
  std::error_code none;
  return fs::exists(config_, none) || fs::exists(socket_, none);
}

Result<> BirdProcess::remove_files() {
  for (const fs::path& file :
       {config_.parent_path() / kBirdNextConfigFile, socket_, pid_file_, config_})
    if (auto deleted = delete_file(file); !deleted) return fail(deleted);
  return {};
}

}  // namespace kubecni
