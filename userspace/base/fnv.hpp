#pragma once

#include <cstdint>
#include <string_view>

namespace kubecni {

/// FNV-1a of 32 or 64 bits: the same on each machine and in each version, so it may be part of
/// permanent names.
template <typename Hash>
constexpr Hash fnv1a(std::string_view bytes) {
  static_assert(sizeof(Hash) == 4 || sizeof(Hash) == 8);
  constexpr bool kIsWide = sizeof(Hash) == 8;
  auto hash = static_cast<Hash>(kIsWide ? 0xcbf29ce484222325 : 0x811c9dc5);
  for (const char c : bytes) {
    hash ^= static_cast<std::uint8_t>(c);
    hash *= static_cast<Hash>(kIsWide ? 0x100000001b3 : 0x01000193);
  }
  return hash;
}

}  // namespace kubecni
