#include "k8s/file_node_source.hpp"

#include "base/file.hpp"
#include "k8s/node_parser.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>

namespace kubecni {

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;
constexpr std::uint32_t kEdits = IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                                 IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                 IN_ONLYDIR;

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

/// Watches the directory of `path`, also when it is not the one from before.
/// Result: the watch descriptor.
Result<int> watch_directory(int inotify, const std::filesystem::path& path) {
  const std::filesystem::path directory = directory_of(path);
  const int watch = ::inotify_add_watch(inotify, directory.c_str(), kEdits);
  if (watch < 0) return sys_error(errno, "watch directory " + directory.string());
  return watch;
}

/// Reads away what inotify has to say. Result: whether there was anything.
bool drain(int inotify) {
  alignas(inotify_event) char events[4096];
  bool any = false;
  while (::read(inotify, events, sizeof(events)) > 0) any = true;
  return any;
}

bool same_news(const Result<NodeSnapshot>& a, const Result<NodeSnapshot>& b) {
  if (a.has_value() != b.has_value()) return false;
  return a ? *a == *b : a.error().what == b.error().what;
}

}  // namespace

Result<std::unique_ptr<NodeSource>> FileNodeSource::open(std::filesystem::path path) {
  UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) return sys_error(errno, "inotify_init1");
  auto watch = watch_directory(inotify.get(), path);
  if (!watch) return fail(watch, "node file " + path.string());
  // The end of a watch is an event (IN_IGNORED): fd() is readable for the
  // first take(), which sets the watch again before it reads the file.
  ::inotify_rm_watch(inotify.get(), *watch);
  return std::unique_ptr<NodeSource>(new FileNodeSource(std::move(path), std::move(inotify)));
}

std::optional<Result<NodeSnapshot>> FileNodeSource::take() {
  const bool is_unchanged = !drain(inotify_.get()) && watching_;
  auto news = is_unchanged ? std::nullopt : std::optional(load());
  if (news && last_ && same_news(*last_, *news)) news.reset();
  if (news) last_ = news;
  note_status();
  return news;
}

void FileNodeSource::note_status() {
  const std::lock_guard lock(status_mutex_);
  status_.connected = last_ && last_->has_value();
  status_.error = last_ && !last_->has_value() ? last_->error().what : "";
  if (status_.connected) status_.last_heard = std::chrono::steady_clock::now();
}

SourceStatus FileNodeSource::status() const {
  const std::lock_guard lock(status_mutex_);
  return status_;
}

Result<NodeSnapshot> FileNodeSource::load() {
  const std::string context = "node file " + path_.string();
  // Watch first, then read: an edit in between is noticed.
  auto watch = watch_directory(inotify_.get(), path_);
  watching_ = watch.has_value();
  if (!watch) return fail(watch, context);
  auto text = read_file(path_, kMaxFileBytes);
  if (!text) return fail(text, context);
  auto snapshot = parse_node_list(*text);
  if (!snapshot) return fail(snapshot, context);
  return snapshot;
}

}  // namespace kubecni
