#include "base/file.hpp"

#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace kubecni {

namespace {

Result<> write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return sys_error(errno, "write");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

std::filesystem::path unfinished_name(const std::filesystem::path& path) {
  return path.parent_path() / ("." + path.filename().string() + ".new");
}

std::string finished_name(const std::string& name) {
  constexpr std::string_view kSuffix = ".new";
  if (!name.starts_with('.') || !name.ends_with(kSuffix)) return name;
  return name.substr(1, name.size() - 1 - kSuffix.size());
}

Result<std::string> read_all(int fd, std::size_t max_bytes) {
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return sys_error(errno, "read");
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > max_bytes)
      return failure(EFBIG, "read: more than " + std::to_string(max_bytes) + " bytes");
  }
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return sys_error(errno, "open " + path.string());
  auto content = read_all(fd.get(), max_bytes);
  if (!content) return fail(content, path.string());
  return content;
}

Result<> write_file_atomically(const std::filesystem::path& path, std::string_view content,
                               unsigned mode) {
  const std::filesystem::path temporary = unfinished_name(path);
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                           static_cast<mode_t>(mode)));
  if (!fd) return sys_error(errno, "create " + temporary.string());
  ::fchmod(fd.get(), static_cast<mode_t>(mode));
  if (auto written = write_all(fd.get(), content); !written) {
    ::unlink(temporary.c_str());
    return fail(written, temporary.string());
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int code = errno;
    ::unlink(temporary.c_str());
    return sys_error(code, "rename " + temporary.string() + " to " + path.string());
  }
  return {};
}

Result<> update_file(const std::filesystem::path& path, std::string_view content) {
  const auto present = read_file(path, content.size());
  return present && *present == content ? Result<>() : write_file_atomically(path, content);
}

Result<> write_setting(const std::filesystem::path& path, std::string_view value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return sys_error(errno, "open " + path.string());
  auto written = write_all(fd.get(), value);
  if (!written) return fail(written, path.string());
  return {};
}

Result<> ensure_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return sys_error(error.value(), "create directory " + path.string());
  return {};
}

Result<FileIdentity> identify(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return sys_error(errno, "look at " + path.string());
  if (S_ISDIR(status.st_mode)) return sys_error(EISDIR, "look at " + path.string());
  if (!S_ISREG(status.st_mode)) return failure(EINVAL, path.string() + " is not a regular file");
  return FileIdentity{status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
                      status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

Result<> delete_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return sys_error(errno, "remove " + path.string());
  return {};
}

Result<std::vector<std::string>> list_directory(const std::filesystem::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entries(path, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error))
    names.push_back(entries->path().filename().string());
  if (error) return sys_error(error.value(), "list " + path.string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace kubecni
