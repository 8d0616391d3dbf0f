#pragma once

#include <cstdint>

namespace kubecni::test {

/// Byte `position` of the endless pattern `seed`: no two places look the same.
inline std::uint8_t pattern_byte(std::uint64_t seed, std::uint64_t position) {
  std::uint64_t word = seed * 0x9e3779b97f4a7c15 + position / 8;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return static_cast<std::uint8_t>((word ^ (word >> 31)) >> (position % 8 * 8));
}

}  // namespace kubecni::test
