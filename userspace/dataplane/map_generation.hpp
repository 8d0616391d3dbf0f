#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <memory>

struct kubecni_generation;

namespace kubecni {

/// The number of the pinned map `map_generation`: the programs' answers for known flows are valid
/// for one number (include/kubecni/abi.h).
class MapGeneration {
 public:
  /// Opens the map in the folder of pinned maps. Errors: those of open_pinned_map(), of mmap(2).
  static Result<MapGeneration> open(const std::filesystem::path& folder);

  /// Ends all answers. To be called after a change of a map, not before: a program might decide in
  /// between. Any process may call it at any time.
  void raise();

  /// For tests.
  [[nodiscard]] unsigned number() const;

 private:
  struct Unmap {
    void operator()(kubecni_generation* shared) const;
  };
  using Shared = std::unique_ptr<kubecni_generation, Unmap>;
  explicit MapGeneration(Shared shared) : shared_(std::move(shared)) {}
  Shared shared_;  // the map's memory
};

}  // namespace kubecni
