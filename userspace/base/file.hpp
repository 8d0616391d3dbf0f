#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// The whole content of the file at `path`.
/// Errors: ENOENT and the others of open(2) and read(2); EFBIG over `max_bytes`.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::size_t max_bytes = std::size_t{256} << 20);

/// Everything that `fd` yields until its end. Errors: those of read(2); EFBIG over `max_bytes`.
Result<std::string> read_all(int fd, std::size_t max_bytes);

/// Replaces the content of the file at `path`: a reader sees the old or the new content, never a
/// part. The new content survives the process, not a power cut (no fsync). The file gets `mode`,
/// whatever the umask. Callers make sure that only one at a time writes `path`.
/// Errors: those of open(2), write(2) and rename(2).
Result<> write_file_atomically(const std::filesystem::path& path, std::string_view content,
                               unsigned mode = 0644);

/// The same, but does not write what the file has.
Result<> update_file(const std::filesystem::path& path, std::string_view content);

/// Where the new content of `path` is written until it is complete: beside it, hidden. A killed
/// process leaves this file behind; the next write reuses it.
std::filesystem::path unfinished_name(const std::filesystem::path& path);
/// The final name of the file `name`, which may be an unfinished one.
std::string finished_name(const std::string& name);

/// Overwrites an existing file in place, for kernel settings below /proc/sys.
/// Errors: those of open(2) and write(2).
Result<> write_setting(const std::filesystem::path& path, std::string_view value);

/// Creates `path` and its parents where they are missing.
/// Errors: those of mkdir(2).
Result<> ensure_directory(const std::filesystem::path& path);

/// Identifies a file and its last change. The same identity means the same content and mode, unless
/// somebody writes twice within one tick of the kernel's clock (4 ms).
struct FileIdentity {
  std::uint64_t device;
  std::uint64_t inode;
  std::uint64_t size;  ///< bytes
  std::int64_t changed_ns;
  bool operator==(const FileIdentity&) const = default;
};
/// The identity of the file at `path`, following links. Errors: those of stat(2); EISDIR; EINVAL it
/// is not a regular file.
Result<FileIdentity> identify(const std::filesystem::path& path);

/// Removes the file at `path`; absent is success. Errors: those of unlink(2).
Result<> delete_file(const std::filesystem::path& path);

/// The names in the directory at `path`, sorted; an absent directory has none.
/// Errors: those of opendir(3) but ENOENT.
Result<std::vector<std::string>> list_directory(const std::filesystem::path& path);

}  // namespace kubecni
