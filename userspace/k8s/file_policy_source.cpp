#include "k8s/file_policy_source.hpp"

#include "base/file.hpp"

namespace kubecni {

namespace {

constexpr std::size_t kMaxPolicyBytes = std::size_t{256} << 20;  // 7 kB for each of 30 000 pods

}  // namespace

Result<std::unique_ptr<PolicySource>> FilePolicySource::open(std::filesystem::path path) {
  if (!path.has_parent_path()) path = "." / path;
  auto watch = FolderWatch::open();
  if (!watch) return fail(watch);
  if (auto watched = watch->watch(path.parent_path()); !watched)
    return fail(watched, "policy file " + path.string());
  watch->wake();  // fd() is readable for the first take()
  return std::unique_ptr<PolicySource>(new FilePolicySource(std::move(path), std::move(*watch)));
}

bool FilePolicySource::take() {
  if (!watch_.drain() && is_watching_) return false;
  auto loaded = load();
  error_ = loaded ? "" : loaded.error().what;
  if (!loaded || (is_known_ && *loaded == objects_)) return false;
  objects_ = std::move(*loaded);
  is_known_ = true;
  return true;
}

Result<PolicyObjects> FilePolicySource::load() {
  const std::string context = "policy file " + path_.string();
  // Watch first, then read: an edit in between is noticed.
  auto watched = watch_.watch(path_.parent_path());
  is_watching_ = watched.has_value();
  if (!watched) return fail(watched, context);
  auto text = read_file(path_, kMaxPolicyBytes);
  if (!text) return fail(text, context);
  auto objects = parse_policy_objects(*text);
  if (!objects) return fail(objects, context);
  return objects;
}

}  // namespace kubecni
