#include "base/folder_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>

namespace kubecni {

namespace {

constexpr std::uint32_t kChanges = IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                                   IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |
                                   IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

Result<FolderWatch> FolderWatch::open() {
  UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) return sys_error(errno, "inotify_init1");
  return FolderWatch(std::move(inotify));
}

Result<> FolderWatch::watch(const std::filesystem::path& folder) { return add(folder, kChanges); }

Result<> FolderWatch::watch_names(const std::filesystem::path& folder) {
  return add(folder, IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
}

Result<> FolderWatch::add(const std::filesystem::path& folder, std::uint32_t events) {
  if (::inotify_add_watch(inotify_.get(), folder.c_str(), events) < 0)
    return sys_error(errno, "watch directory " + folder.string());
  return {};
}

void FolderWatch::wake() {
  // The end of a watch is an event (IN_IGNORED).
  ::inotify_rm_watch(inotify_.get(), ::inotify_add_watch(inotify_.get(), "/proc", IN_DELETE_SELF));
}

bool FolderWatch::drain() {
  alignas(inotify_event) char events[4096];
  bool any = false;
  while (::read(inotify_.get(), events, sizeof(events)) > 0) any = true;
  return any;
}

}  // namespace kubecni
