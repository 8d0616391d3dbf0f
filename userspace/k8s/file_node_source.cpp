#include "k8s/file_node_source.hpp"

#include "base/file.hpp"
#include "k8s/node_parser.hpp"

namespace kubecni {

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

bool same_news(const Result<NodeSnapshot>& a, const Result<NodeSnapshot>& b) {
  if (a.has_value() != b.has_value()) return false;
  return a ? *a == *b : a.error().what == b.error().what;
}

}  // namespace

Result<std::unique_ptr<NodeSource>> FileNodeSource::open(std::filesystem::path path) {
  auto watch = FolderWatch::open();
  if (!watch) return fail(watch);
  if (auto watched = watch->watch(directory_of(path)); !watched)
    return fail(watched, "node file " + path.string());
  watch->wake();  // fd() is readable for the first take()
  return std::unique_ptr<NodeSource>(new FileNodeSource(std::move(path), std::move(*watch)));
}

std::optional<Result<NodeSnapshot>> FileNodeSource::take() {
  const bool is_unchanged = !watch_.drain() && watching_;
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
  auto watched = watch_.watch(directory_of(path_));
  watching_ = watched.has_value();
  if (!watched) return fail(watched, context);
  auto text = read_file(path_, kMaxFileBytes);
  if (!text) return fail(text, context);
  auto snapshot = parse_node_list(*text);
  if (!snapshot) return fail(snapshot, context);
  return snapshot;
}

}  // namespace kubecni
