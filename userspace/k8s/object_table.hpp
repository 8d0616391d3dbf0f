#pragma once

#include "k8s/delta_news.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace kubecni {

/// The objects of a kind by key. Another class with the same three functions can replace it.
template <typename Object>
class ObjectTable {
 public:
  /// Result: the change; empty: an equal object is there already.
  std::optional<Change> set(const std::string& key, Object object) {
    const auto [known, is_new] = objects_.try_emplace(key);
    if (!is_new && known->second == object) return std::nullopt;
    known->second = std::move(object);
    return is_new ? Change::kAdded : Change::kChanged;
  }

  /// Result: whether it existed.
  bool erase(const std::string& key) { return objects_.erase(key) > 0; }

  /// Calls `visit` with each key.
  template <typename Visit>
  void each_key(Visit visit) const {
    for (const auto& [key, object] : objects_) visit(key);
  }

  [[nodiscard]] const std::map<std::string, Object>& objects() const { return objects_; }

 private:
  std::map<std::string, Object> objects_;
};

}  // namespace kubecni
