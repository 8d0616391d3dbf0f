#pragma once

#include "base/result.hpp"
#include "dataplane/bpf_map.hpp"
#include "dataplane/map_generation.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// A map that the programs decide by. They keep their answers for known flows; each change of such
/// a map ends all answers. Errors: those of BpfMap and MapGeneration.
template <typename Key, typename Value>
class DecisionMap {
 public:
  /// Opens the map `name` in the folder of pinned maps.
  static Result<DecisionMap> open(const std::filesystem::path& folder, const std::string& name) {
    auto map = Map::open(folder / name);
    if (!map) return fail(map);
    auto generation = MapGeneration::open(folder);
    if (!generation) return fail(generation);
    return DecisionMap(std::move(*map), std::move(*generation));
  }

  [[nodiscard]] Result<std::optional<Value>> find(const Key& key) const { return map_.find(key); }
  [[nodiscard]] Result<std::vector<std::pair<Key, Value>>> entries() const {
    return map_.entries();
  }
  Result<> set(const Key& key, const Value& value) { return changed(map_.set(key, value)); }
  /// Absent is success.
  Result<> erase(const Key& key) { return changed(map_.erase(key)); }

 private:
  using Map = BpfMap<Key, Value>;
  DecisionMap(Map map, MapGeneration generation)
      : map_(std::move(map)), generation_(std::move(generation)) {}
  Result<> changed(Result<> done) {
    if (done) generation_.raise();
    return done;
  }
  Map map_;
  MapGeneration generation_;
};

}  // namespace kubecni
