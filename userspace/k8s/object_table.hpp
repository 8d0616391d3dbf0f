#pragma once

#include "base/shared.hpp"
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
    const auto known = objects_.find(key);
    if (known == objects_.end()) {
      objects_.emplace(key, std::move(object));
      return Change::kAdded;
    }
    if (*known->second == object) return std::nullopt;
    known->second = Shared<Object>(std::move(object));
    return Change::kChanged;
  }

  /// Result: whether it existed.
  bool erase(const std::string& key) { return objects_.erase(key) > 0; }

  /// Calls `visit` with each key.
  template <typename Visit>
  void each_key(Visit visit) const {
    for (const auto& [key, object] : objects_) visit(key);
  }

  [[nodiscard]] const std::map<std::string, Shared<Object>>& objects() const { return objects_; }

 private:
  std::map<std::string, Shared<Object>> objects_;
};

}  // namespace kubecni
