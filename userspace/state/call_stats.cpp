#include "state/call_stats.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"
#include "state/files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace kubecni {

namespace {

using Counter = std::uint64_t;

// "kcnicls1" in memory order. A changed layout gets another number.
constexpr Counter kMagic = 0x31736c63696e636bULL;

struct File {
  Counter magic;  // 0 in a new file
  CallStats verbs;
};
static_assert(sizeof(File) == sizeof(Counter) * (1 + kCountedVerbs.size() * 29),
              "a change of the layout needs another magic");

void add(Counter& counter, Counter amount) {
  std::atomic_ref(counter).fetch_add(amount, std::memory_order_relaxed);
}

/// The mapped file of the counters.
class Mapping {
 public:
  static Result<Mapping> of(int fd, const std::string& name) {
    void* mapped = ::mmap(nullptr, sizeof(File), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) return sys_error(errno, "map " + name);
    return Mapping(static_cast<File*>(mapped));
  }
  Mapping(Mapping&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~Mapping() {
    if (file_) ::munmap(file_, sizeof(File));
  }

  /// Whether the file has our layout. Marks a new file with it.
  bool claim() {
    Counter magic = 0;
    return std::atomic_ref(file_->magic).compare_exchange_strong(magic, kMagic) || magic == kMagic;
  }
  File& operator*() { return *file_; }

 private:
  explicit Mapping(File* file) : file_(file) {}
  File* file_;
};

/// Empty if the existing file cannot be used.
Result<std::optional<Mapping>> open_counters(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return sys_error(errno, "open " + path.string());
  struct stat file{};
  if (::fstat(fd.get(), &file) != 0) return sys_error(errno, "fstat " + path.string());
  if (!S_ISREG(file.st_mode)) return sys_error(EINVAL, path.string() + " is not a regular file");
  // Reserves all blocks, so that a full disk is an error here and not a SIGBUS later. Other
  // processes may do the same at the same time. A process that is killed before leaves an empty
  // file, which counts as new.
  if (file.st_size == 0) {
    if (const int error = ::posix_fallocate(fd.get(), 0, sizeof(File)); error != 0)
      return sys_error(error, "reserve space for " + path.string());
  } else if (file.st_size != sizeof(File)) {
    return std::nullopt;
  }
  auto mapping = Mapping::of(fd.get(), path.string());
  if (!mapping) return fail(mapping);
  if (!mapping->claim()) return std::nullopt;
  return std::move(*mapping);
}

Result<Mapping> open_or_begin_anew(const std::filesystem::path& path) {
  auto opened = open_counters(path);
  if (opened && !*opened) {
    if (auto deleted = delete_file(path); !deleted) return fail(deleted);
    opened = open_counters(path);
  }
  if (!opened) return fail(opened);
  if (!*opened) return sys_error(EBADMSG, path.string() + " was replaced, and is damaged again");
  return std::move(**opened);
}

}  // namespace

std::filesystem::path call_stats_path(const std::filesystem::path& run_dir) {
  return run_dir / kCallStatsFile;
}

Result<> count_call(const std::filesystem::path& run_dir, std::string_view verb,
                    unsigned error_code, std::chrono::nanoseconds duration) {
  const auto* counted = std::ranges::find(kCountedVerbs, verb);
  if (counted == kCountedVerbs.end()) return {};
  auto mapping = open_or_begin_anew(call_stats_path(run_dir));
  if (!mapping) return fail(mapping);

  auto& stats = (**mapping).verbs[static_cast<std::size_t>(counted - kCountedVerbs.begin())];
  if (error_code != 0) {
    const auto* code = std::ranges::find(kCountedCodes, error_code);
    add(stats.by_code[static_cast<std::size_t>(code - kCountedCodes.begin())], 1);
  }
  add(stats.total_ns, static_cast<Counter>(std::max<std::int64_t>(duration.count(), 0)));
  const auto* bound = std::ranges::lower_bound(kDurationBounds, duration);
  add(stats.by_duration[static_cast<std::size_t>(bound - kDurationBounds.begin())], 1);
  return {};
}

Result<std::optional<CallStats>> read_call_stats(const std::filesystem::path& run_dir) {
  const auto path = call_stats_path(run_dir);
  // Not mapped: a truncated file must not kill the reader.
  auto bytes = read_file(path, sizeof(File));
  if (!bytes && bytes.error().code == ENOENT) return std::nullopt;
  if (!bytes && bytes.error().code != EFBIG) return fail(bytes);
  File file{};
  if (bytes && bytes->size() == sizeof(file)) std::memcpy(&file, bytes->data(), sizeof(file));
  if (file.magic == kMagic) return file.verbs;
  const bool is_new = bytes && (bytes->empty() || bytes->size() == sizeof(file)) && file.magic == 0;
  if (is_new) return std::nullopt;
  return failure(
      EBADMSG,
      path.string() + " is damaged, or of another build; the plugin's next call replaces it");
}

}  // namespace kubecni
