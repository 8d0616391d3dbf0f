#include "k8s/file_node_source.hpp"

#include "base/file.hpp"
#include "k8s/node_parser.hpp"

namespace kubecni {

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
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

std::optional<Result<NodeNews>> FileNodeSource::take() {
  const bool is_unchanged = !watch_.drain() && watching_;
  if (is_unchanged) {
    note_heard();
    return std::nullopt;
  }
  auto loaded = load();
  const std::string error = loaded ? "" : loaded.error().what;
  const bool has_changed = loaded && (!was_read_ || *loaded != nodes_);
  const bool is_news = has_changed || error != last_error_;
  last_error_ = error;
  note_status(error);
  if (loaded && has_changed) nodes_ = std::move(*loaded);
  was_read_ = was_read_ || loaded;
  if (!is_news) return std::nullopt;
  if (!loaded) return fail(loaded);
  return NodeNews{.has_changed = has_changed};
}

/// An unreadable file has no text.
void FileNodeSource::note_heard() {
  const std::lock_guard lock(status_mutex_);
  if (status_.connected) status_.last_heard = std::chrono::steady_clock::now();
}

void FileNodeSource::note_status(const std::string& error) {
  {
    const std::lock_guard lock(status_mutex_);
    status_.connected = error.empty();
    status_.error = error;
  }
  note_heard();
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
