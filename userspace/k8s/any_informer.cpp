#include "k8s/any_informer.hpp"

#include "base/json.hpp"

#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

constexpr int kGone = 410;

std::unexpected<Error> error_of(const nlohmann::json& status) {
  const bool gone = member(status, "code") == kGone;
  return failure(gone ? ESTALE : EREMOTEIO, "the server ended the watch: code " +
                                                shown(member(status, "code")) + ", " +
                                                shown(member(status, "message")));
}

std::string key_of(const nlohmann::json& object) {
  std::string name = metadata_text(object, "name");
  const std::string space = metadata_text(object, "namespace");
  return space.empty() ? name : space + "/" + name;
}

ObjectFields fields_of(const KindSource& source) {
  ObjectFields fields = ObjectFields::of(source.kept);
  for (const char* always : {"metadata.name", "metadata.namespace", "metadata.resourceVersion"})
    fields.add(always);
  return fields;
}

}  // namespace

AnyInformer::AnyInformer(KindSource source, DeltaNews news)
    : source_(std::move(source)), kept_(fields_of(source_)), news_(std::move(news)) {}

SourceStatus AnyInformer::status() const {
  const Clock::time_point heard = last_heard_;
  SourceStatus status{.connected = connected_, .error = news_.error()};
  if (heard != Clock::time_point{}) status.last_heard = heard;
  return status;
}

void AnyInformer::add_item(const nlohmann::json& item) { add_listed(key_of(item), item); }

Result<std::string> AnyInformer::end_page(const nlohmann::json& page) {
  const nlohmann::json& items = member(page, "items");
  std::string version = metadata_text(page, "resourceVersion");
  if (member(page, "kind") != source_.list_kind || version.empty() ||
      !(items.is_array() || items.is_null()) || !items.empty())
    return failure(EBADMSG, "the answer is not a " + source_.list_kind +
                                " with a resourceVersion: kind is " + shown(member(page, "kind")));

  std::string next = metadata_text(page, "continue");
  if (next.empty()) {
    news_.post(replace_by_listed());
    resource_version_ = std::move(version);
  }
  return next;
}

Result<bool> AnyInformer::apply(const WatchEvent& event) {
  if (event.type == WatchEvent::Type::kError) {
    expire();
    return error_of(event.object);
  }
  if (auto version = metadata_text(event.object, "resourceVersion"); !version.empty())
    resource_version_ = std::move(version);
  if (event.type == WatchEvent::Type::kBookmark) return false;

  const std::string key = key_of(event.object);
  auto deltas = event.type == WatchEvent::Type::kDeleted ? erase(key) : set(key, event.object);
  const bool any_changed = !deltas.empty();
  if (any_changed) news_.post(std::move(deltas));
  return any_changed;
}

void AnyInformer::forget() {
  forget_listed();
  forget_table();
  expire();
  connected_ = false;
  news_.forget();
}

void AnyInformer::set_connected(bool is_connected) {
  connected_ = is_connected;
  if (is_connected) news_.post(std::vector<Delta>());
}

}  // namespace kubecni
