#include "k8s/node_table.hpp"

#include "base/json.hpp"
#include "k8s/node_parser.hpp"

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

}  // namespace

void NodeTable::begin_list() { listed_.clear(); }

void NodeTable::add_item(const nlohmann::json& item) {
  listed_.insert_or_assign(metadata_text(item, "name"), node_or_reason(item));
}

Result<std::string> NodeTable::end_page(const nlohmann::json& page) {
  const nlohmann::json& items = member(page, "items");
  const std::string version = metadata_text(page, "resourceVersion");
  if (member(page, "kind") != "NodeList" || version.empty() ||
      !(items.is_array() || items.is_null()) || !items.empty())
    return failure(EBADMSG, "the answer is not a NodeList with a resourceVersion: kind is " +
                                shown(member(page, "kind")));

  std::string next = metadata_text(page, "continue");
  if (next.empty()) {
    entries_ = std::exchange(listed_, {});
    resource_version_ = version;
  }
  return next;
}

Result<bool> NodeTable::apply(const WatchEvent& event) {
  if (event.type == WatchEvent::Type::kError) {
    expire();
    return error_of(event.object);
  }
  if (auto version = metadata_text(event.object, "resourceVersion"); !version.empty())
    resource_version_ = std::move(version);
  if (event.type == WatchEvent::Type::kBookmark) return false;

  const std::string name = metadata_text(event.object, "name");
  if (event.type == WatchEvent::Type::kDeleted) return entries_.erase(name) > 0;

  auto entry = node_or_reason(event.object);
  const auto known = entries_.find(name);
  if (known != entries_.end() && known->second == entry) return false;
  entries_.insert_or_assign(name, std::move(entry));
  return true;
}

NodeSnapshot NodeTable::snapshot() const {
  NodeSnapshot snapshot;
  for (const auto& [name, entry] : entries_) {
    if (entry)
      snapshot.nodes.push_back(*entry);
    else
      snapshot.skipped.push_back(entry.error());
  }
  return snapshot;
}

}  // namespace kubecni
