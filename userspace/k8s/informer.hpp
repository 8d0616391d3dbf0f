#pragma once

#include "k8s/any_informer.hpp"
#include "k8s/kind.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// All objects of one kind, kept equal to the API server's by a WatchThread, and their changes.
/// There is one table; a change of one object costs the work for one.
///
///   auto pods = Informer<Pod>::create(kPods).value();
///   auto thread = WatchThread::start(config, {}, nullptr, {pods.get()});
///   // when pods->fd() is readable:
///   while (auto news = pods->take())
///     if (*news) for (const Delta& delta : **news) ...
///
/// After create() any thread may call it.
template <typename Object, typename Table = ObjectTable<Object>>
class Informer final : public AnyInformer {
 public:
  /// Called on the WatchThread.
  struct Hooks {
    /// The server sent something about this object, even if nothing changed for us.
    std::function<void(const std::string& key)> seen = {};
    /// The table has changed.
    std::function<void(const Table&)> changed = {};
  };

  /// Errors: EMFILE, ENFILE, ENOMEM.
  static Result<std::unique_ptr<Informer>> create(const Kind<Object, Table>& kind,
                                                  Hooks hooks = {}) {
    auto news = DeltaNews::create();
    if (!news) return fail(news, "watch " + kind.source.resource);
    return std::unique_ptr<Informer>(new Informer(kind, std::move(*news), std::move(hooks)));
  }

  /// Calls `look` with the table, which does not change meanwhile.
  template <typename Look>
  auto read(Look look) const {
    const std::lock_guard lock(mutex_);
    return look(std::as_const(table_));
  }

  /// The same, but empty as long as no list is complete.
  template <typename Look>
  auto read_listed(Look look) const {
    const std::lock_guard lock(mutex_);
    return is_listed_ ? std::optional(look(std::as_const(table_))) : std::nullopt;
  }

 private:
  Informer(const Kind<Object, Table>& kind, DeltaNews news, Hooks hooks)
      : AnyInformer(kind.source, std::move(news)), parse_(kind.parse), hooks_(std::move(hooks)) {}

  void forget_listed() override { listed_.clear(); }

  void forget_table() override {
    const std::lock_guard lock(mutex_);
    table_ = Table();
    is_listed_ = false;
  }

  void add_listed(std::string key, const nlohmann::json& object) override {
    if (hooks_.seen) hooks_.seen(key);
    listed_.emplace_back(std::move(key), parse_(object));
  }

  std::vector<Delta> replace_by_listed() override {
    auto listed = std::exchange(listed_, {});
    std::ranges::stable_sort(listed, {}, &Listed::first);
    std::vector<Delta> deltas;
    {
      const std::lock_guard lock(mutex_);
      table_.each_key([&](const std::string& key) {
        if (!std::ranges::binary_search(listed, key, {}, &Listed::first))
          deltas.push_back({key, Change::kRemoved});
      });
      for (const Delta& gone : deltas) table_.erase(gone.key);
      for (auto& [key, object] : listed)
        if (const auto change = table_.set(key, std::move(object)))
          deltas.push_back({key, *change});
      is_listed_ = true;
    }
    tell(deltas);
    return deltas;
  }

  std::vector<Delta> set(const std::string& key, const nlohmann::json& object) override {
    if (hooks_.seen) hooks_.seen(key);
    Object parsed = parse_(object);
    std::vector<Delta> deltas;
    {
      const std::lock_guard lock(mutex_);
      if (const auto change = table_.set(key, std::move(parsed))) deltas.push_back({key, *change});
    }
    tell(deltas);
    return deltas;
  }

  std::vector<Delta> erase(const std::string& key) override {
    if (hooks_.seen) hooks_.seen(key);
    std::vector<Delta> deltas;
    {
      const std::lock_guard lock(mutex_);
      if (table_.erase(key)) deltas.push_back({key, Change::kRemoved});
    }
    tell(deltas);
    return deltas;
  }

  /// Without the mutex: only the WatchThread changes the table.
  void tell(const std::vector<Delta>& deltas) const {
    if (hooks_.changed && !deltas.empty()) hooks_.changed(table_);
  }

  using Listed = std::pair<std::string, Object>;

  Object (*parse_)(const nlohmann::json& kept);
  Hooks hooks_;
  mutable std::mutex mutex_;
  Table table_;                 // guarded by mutex_
  bool is_listed_ = false;      // likewise
  std::vector<Listed> listed_;  ///< the pages so far
};

}  // namespace kubecni
