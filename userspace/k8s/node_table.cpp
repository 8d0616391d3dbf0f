#include "k8s/node_table.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace kubecni {

namespace {

/// Inserts `node` in order of its name. Result: the change.
template <typename T>
std::optional<Change> put(std::vector<T>& nodes, T node) {
  const auto place = std::ranges::lower_bound(nodes, node.name, {}, &T::name);
  if (place == nodes.end() || place->name != node.name) {
    nodes.insert(place, std::move(node));
    return Change::kAdded;
  }
  if (*place == node) return std::nullopt;
  *place = std::move(node);
  return Change::kChanged;
}

template <typename T>
bool remove(std::vector<T>& nodes, const std::string& name) {
  const auto place = std::ranges::lower_bound(nodes, name, {}, &T::name);
  if (place == nodes.end() || place->name != name) return false;
  nodes.erase(place);
  return true;
}

}  // namespace

std::optional<Change> NodeTable::set(const std::string& name, NodeEntry entry) {
  const bool was_other_sort =
      entry ? remove(snapshot_.skipped, name) : remove(snapshot_.nodes, name);
  const auto change = entry ? put(snapshot_.nodes, std::move(*entry))
                            : put(snapshot_.skipped, std::move(entry.error()));
  return was_other_sort ? Change::kChanged : change;
}

bool NodeTable::erase(const std::string& name) {
  return remove(snapshot_.nodes, name) || remove(snapshot_.skipped, name);
}

}  // namespace kubecni
